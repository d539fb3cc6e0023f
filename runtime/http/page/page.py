"""``GET /``: the page for people, and the files that it is made of."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

import falcon

from runtime.http.reply import is_known

_FOLDER = Path(__file__).with_name("app")
TYPES = {".js": "text/javascript", ".css": "text/css"}
_FIRST = "theme.js"

# The page runs its own scripts alone, and neither loads nor asks anything outside. Its
# pictures are drawn by the page, or come from the service as data.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' blob: data:; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)


class Page:
    """``GET /``, and ``GET /page/{file}`` for the files of the page.

    Both are open, because they tell nothing of the service. The page's scripts ask the
    other routes, with a token if its reader gave one.

    Args:
        base: config.json's ``base``.
        token_header: the header in which a token is sent.
    """

    def __init__(self, base: str, token_header: str) -> None:
        self._base = base
        self._token_header = token_header
        self._files = {
            path.name: path.read_bytes()
            for path in _FOLDER.iterdir()
            if path.suffix in TYPES
        }
        page = (_FOLDER / "index.html").read_text(encoding="utf-8")
        # theme.js is no module. A link to it as a module would fetch it a second time.
        modules = sorted(
            name for name in self._files if name.endswith(".js") and name != _FIRST
        )
        self._page = Template(page).safe_substitute(
            header=escape(self._token_header),
            modules="\n".join(
                f'<link rel="modulepreload" href="${{root}}page/{name}">'
                for name in modules
            ),
        )

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the page."""
        # Its links are relative, so that they hold behind a proxy that takes a prefix
        # off, too. Without a slash at the end, a browser looks one folder higher.
        has_slash = str(req.env["PATH_INFO"]).endswith("/")
        root = "" if has_slash else f"{self._base.rpartition('/')[2]}/"
        resp.set_header("Content-Security-Policy", _POLICY)
        resp.set_header("Referrer-Policy", "no-referrer")
        resp.cache_control = ["no-cache"]
        content = Template(self._page).substitute(root=escape(root or "./")).encode()
        if not is_known(req, resp, content):
            resp.content_type = falcon.MEDIA_HTML
            resp.data = content

    def on_get_file(
        self, req: falcon.Request, resp: falcon.Response, file: str
    ) -> None:
        """Answer one of the page's files."""
        if file not in self._files:
            raise falcon.HTTPNotFound
        # A browser asks again whether it has the newest, so that no script of an older
        # release meets one of a newer.
        resp.cache_control = ["no-cache"]
        content = self._files[file]
        if not is_known(req, resp, content):
            resp.content_type = TYPES[Path(file).suffix]
            resp.data = content

    on_head = on_get
    on_head_file = on_get_file
