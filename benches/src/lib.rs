//! Criterion benches of the parts: see `benches/benches/`.
