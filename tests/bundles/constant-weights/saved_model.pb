


vConst