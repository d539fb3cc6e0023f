"""What people see: steps, tables, pictures, and what an ONNX file is."""
