"""The rooms that get faults, and the tests that must find them."""

from __future__ import annotations

# Rooms where a silent fault costs most, and the arguments with which pytest finds the
# tests of each.
UNIT = ("-m", "not slow and not tensorflow")
ROOMS: dict[str, tuple[str, ...]] = {
    # Hundreds of damaged pictures take seconds, and each is only decoded or refused.
    "bundle/decode.py": ("tests/bundle/test_decode.py", *UNIT, "-k", "not damaged"),
    "bundle/quick_decoders.py": (
        "tests/bundle/test_quick_decoders.py",
        *UNIT,
        "-k",
        "not damage_has and not damaged_rows and not baseline",
    ),
    "bundle/preprocess.py": (
        "tests/bundle/test_preprocess.py",
        "tests/bundle/test_fit.py",
        *UNIT,
    ),
    # The marker slow is on the tests that kill a process at each of its steps, and on
    # those of races. They take a minute.
    "bundle/store.py": (
        "tests/bundle/test_store.py",
        "tests/bundle/test_model_lock.py",
        *UNIT,
    ),
    "bundle/store_reader.py": (
        "tests/bundle/test_store_reader.py",
        "tests/bundle/test_store.py",
        *UNIT,
    ),
    "bundle/publication.py": ("tests/bundle/test_publication.py", *UNIT),
    "bundle/staging.py": ("tests/bundle/test_staging.py", *UNIT),
    "bundle/agreement.py": (
        "tests/bundle/test_agreement.py",
        "tests/exporter/proof/test_parity.py",
        "tests/exporter/proof/test_comparison.py",
        "tests/exporter/proof/test_tolerance.py",
        *UNIT,
    ),
    "bundle/tolerance.py": (
        "tests/bundle/test_agreement.py",
        "tests/exporter/proof/test_tolerance.py",
        *UNIT,
    ),
    "exporter/proof/tolerance.py": (
        "tests/exporter/proof/test_tolerance.py",
        "-m",
        "not slow",
    ),
    "exporter/proof/parity.py": (
        "tests/exporter/proof/test_parity.py",
        "tests/exporter/proof/test_comparison.py",
        "tests/exporter/proof/test_tolerance.py",
        *UNIT,
    ),
    "exporter/proof/settling.py": (
        "tests/exporter/proof/test_settling.py",
        "tests/exporter/proof/test_comparison.py",
        *UNIT,
    ),
    "exporter/proof/draws.py": ("tests/exporter/proof/test_draws.py", *UNIT),
    "runtime/access/gate.py": ("tests/runtime/access/test_gate.py", *UNIT),
    "runtime/access/tokens.py": ("tests/runtime/access/test_tokens.py", *UNIT),
    "runtime/access/limiter.py": ("tests/runtime/access/test_limiter.py", *UNIT),
    "runtime/models/router.py": ("tests/runtime/models/test_router.py", *UNIT),
    "runtime/models/batcher.py": ("tests/runtime/models/test_batcher.py", *UNIT),
    "runtime/models/turn.py": ("tests/runtime/models/test_turn.py", *UNIT),
    "runtime/models/joint_run.py": (
        "tests/runtime/models/test_joint_run.py",
        "tests/runtime/models/test_turn.py",
        "tests/runtime/models/test_batcher.py",
        *UNIT,
    ),
    "runtime/models/lookup.py": ("tests/runtime/models/test_lookup.py", *UNIT),
    "runtime/lane.py": (
        "tests/runtime/test_lane.py",
        "tests/runtime/models/test_batch_policy.py",
        *UNIT,
    ),
    # It measures time, which another process may take.
    "runtime/http/forms.py": (
        "tests/runtime/http/test_forms.py",
        *UNIT,
        "-k",
        "not worth",
    ),
    "runtime/http/plain_form.py": ("tests/runtime/http/test_plain_form.py", *UNIT),
    "runtime/prediction/rows.py": (
        "tests/runtime/prediction/test_rows.py",
        "tests/runtime/prediction/test_named_rows.py",
        *UNIT,
    ),
}


# The tests of a room import this while they run, which takes seconds.
PRELOADED = {"exporter/proof/tolerance.py": "tensorflow"}
