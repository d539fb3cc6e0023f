"""The trainer adds ONNX to a trained model; a stand-in does the conversion."""

import exporter.export
from exporter.errors import ExportError
from tests.exporter.sources.test_source import saved_model
from trainer.conversion import Conversion


def test_what_was_trained_here_may_have_any_operator(tmp_path, monkeypatch):
    folder = saved_model(tmp_path / "net")
    sources = []

    def export(source, options):
        sources.append(source)
        raise ExportError("it cannot be converted")

    monkeypatch.setattr(exporter.export, "export", export)
    conversion = Conversion(wanted=True, verbose=False)
    conversion.add_to(folder)
    assert conversion.failure == "it cannot be converted"
    assert [(source.folder, source.trusted) for source in sources] == [(folder, True)]
