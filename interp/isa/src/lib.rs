//! The bytecode of sheave: one table, and what is derived from it
