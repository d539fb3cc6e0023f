

v
VariableV2