//! The one memory block of a sheave store: reservation, typed offsets, allocator, linear memories
