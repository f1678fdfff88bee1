//! Runs sheave bytecode on an arena: both executors, stacks, traps
