from hypothesis import HealthCheck, settings

# The same examples every time: a failure here is always the change's own.
settings.register_profile(
    "project",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("project")
