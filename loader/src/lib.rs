//! WebAssembly bytes to validated, translated sheave bytecode; image files
