//! Tests of the loader through its public interface.

mod damage;
mod disas;
mod hostile;
mod images;
mod maps;
mod modules;
mod suite;
mod verify;
