//! Embedding: a guest that calls the host and is called by it, on a budget of fuel.
//!
//! `cargo run --example embed`

use sheave::{Caller, Config, Engine, Error, Linker, Module, Store, Trap};

const GUEST: &str = r#"
    (module
      (import "host" "note" (func $note (param i32 i64)))
      (func (export "sum_of_squares") (param $n i32) (result i64)
        (local $i i32) (local $sum i64)
        (loop $next
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (local.set $sum
            (i64.add (local.get $sum)
              (i64.mul (i64.extend_i32_u (local.get $i)) (i64.extend_i32_u (local.get $i)))))
          (call $note (local.get $i) (local.get $sum))
          (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
        (local.get $sum)))
"#;

/// What the guest's calls leave behind: any type of the embedder's.
#[derive(Default)]
struct Notes {
    lines: Vec<String>,
}

fn main() -> Result<(), Error> {
    let mut config = Config::new();
    config.consume_fuel(true);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, GUEST)?;

    let mut linker = Linker::new(&engine);
    linker.func_wrap(
        "host",
        "note",
        |mut caller: Caller<'_, Notes>, i: i32, sum: i64| {
            caller.data_mut().lines.push(format!("after {i}: {sum}"));
        },
    )?;

    let mut store = Store::new(&engine, Notes::default());
    store.set_fuel(1_000)?;
    let instance = linker.instantiate(&mut store, &module)?;
    let sum_of_squares = instance.get_typed_func::<i32, i64>(&mut store, "sum_of_squares")?;

    let sum = sum_of_squares.call(&mut store, 5)?;
    for line in &store.data().lines {
        println!("{line}");
    }
    println!(
        "1² + 2² + 3² + 4² + 5² = {sum}, fuel left: {}",
        store.get_fuel()?
    );

    // A guest that wants too much is stopped, and the store stays usable.
    let error = sum_of_squares
        .call(&mut store, 1_000_000)
        .expect_err("not enough fuel");
    assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::OutOfFuel));
    println!("a million squares: {}", error.root_cause());
    Ok(())
}
