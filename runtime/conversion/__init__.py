"""The conversion of uploads: the versions that wait, and the process of one."""
