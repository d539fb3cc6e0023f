

vVarHandleOp