"""The conversion of uploads: the versions that wait, and the process for one."""
