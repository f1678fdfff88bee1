//! Garbage-collected values: the host reads and makes the guest's structs, and lends it values of its own.
//!
//! `cargo run --example gc`

use sheave::{
    ArrayRef, ArrayRefPre, AsContextMut, Caller, Engine, Error, ExternRef, Instance, Linker,
    Module, OwnedRooted, RootScope, Rooted, Store, StructRef,
};

/// A list of words, each with how often it came: a struct of the word (bytes), the count, and the next.
const GUEST: &str = r#"
    (module
      (type $bytes (array (mut i8)))
      (rec (type $entry (struct
        (field $word (ref $bytes)) (field $count (mut i32)) (field $next (ref null $entry)))))
      (import "host" "seen" (func $seen (param externref (ref array))))
      (global $first (mut (ref null $entry)) (ref.null $entry))

      (func $same (param $a (ref $bytes)) (param $b (ref $bytes)) (result i32) (local $i i32)
        (if (i32.ne (array.len (local.get $a)) (array.len (local.get $b))) (then (return (i32.const 0))))
        (loop $next
          (if (i32.eq (local.get $i) (array.len (local.get $a))) (then (return (i32.const 1))))
          (if (i32.ne (array.get_u $bytes (local.get $a) (local.get $i))
                      (array.get_u $bytes (local.get $b) (local.get $i))) (then (return (i32.const 0))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br $next))
        (unreachable))

      (func (export "count") (param $log externref) (param $word (ref $bytes)) (local $at (ref null $entry))
        (local.set $at (global.get $first))
        (block $new
          (loop $next
            (br_if $new (ref.is_null (local.get $at)))
            (if (call $same (local.get $word) (struct.get $entry $word (local.get $at)))
              (then
                (struct.set $entry $count (local.get $at)
                  (i32.add (struct.get $entry $count (local.get $at)) (i32.const 1)))
                (return)))
            (local.set $at (struct.get $entry $next (local.get $at)))
            (br $next)))
        (call $seen (local.get $log) (local.get $word))
        (global.set $first
          (struct.new $entry (local.get $word) (i32.const 1) (global.get $first))))

      (func (export "example") (result (ref $bytes)) (array.new_fixed $bytes 0))
      (func (export "first") (result structref) (global.get $first)))
"#;

fn main() -> Result<(), Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, GUEST)?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap(
        "host",
        "seen",
        |mut caller: Caller<'_, ()>, log: Option<Rooted<ExternRef>>, word: Rooted<ArrayRef>| {
            let word = text(&mut caller, word)?;
            let log = log.ok_or_else(|| Error::msg("no log"))?;
            let log = log
                .data_mut(&mut caller)?
                .and_then(|data| data.downcast_mut::<Vec<String>>());
            log.ok_or_else(|| Error::msg("no log"))?.push(word);
            Ok::<(), Error>(())
        },
    )?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;

    // A value of the host's that the guest can pass on, but not look into. It is dropped when nobody holds it.
    let log = ExternRef::new(&mut store, Vec::<String>::new())?.to_owned_rooted(&mut store)?;
    for word in "the quick fox and the lazy dog and the end".split(' ') {
        count(&mut store, instance, &log, word)?;
    }
    // Words are garbage once they have been counted before.
    store.gc(None)?;

    let seen = log
        .data(&store)?
        .and_then(|data| data.downcast_ref::<Vec<String>>());
    println!(
        "words in order: {}",
        seen.ok_or_else(|| Error::msg("no log"))?.join(" ")
    );
    let first = instance.get_typed_func::<(), Option<Rooted<StructRef>>>(&mut store, "first")?;
    let mut entry = first.call(&mut store, ())?;
    while let Some(e) = entry {
        let (word, times) = (
            e.field(&mut store, 0)?,
            e.field(&mut store, 1)?.unwrap_i32(),
        );
        let word = word.unwrap_anyref().ok_or_else(|| Error::msg("a word"))?;
        let word = word.unwrap_array(&store)?;
        if times > 1 {
            println!("{} came {times} times", text(&mut store, word)?);
        }
        let next = e.field(&mut store, 2)?;
        entry = next
            .unwrap_anyref()
            .map(|next| next.unwrap_struct(&store))
            .transpose()?;
    }
    Ok(())
}

/// Gives the guest a word. The handles made here end with the scope.
fn count(
    store: &mut Store<()>,
    instance: Instance,
    log: &OwnedRooted<ExternRef>,
    word: &str,
) -> Result<(), Error> {
    let mut scope = RootScope::new(store);
    let example = instance.get_typed_func::<(), Rooted<ArrayRef>>(&mut scope, "example")?;
    let ty = example.call(&mut scope, ())?.ty(&scope)?;
    let pre = ArrayRefPre::new(&mut scope, ty);
    let word = ArrayRef::new_from_i8_slice(&mut scope, &pre, word.as_bytes())?;
    let log = log.to_rooted(&mut scope);
    let count = instance
        .get_typed_func::<(Rooted<ExternRef>, Rooted<ArrayRef>), ()>(&mut scope, "count")?;
    count.call(&mut scope, (log, word))
}

/// The bytes of an array as text.
fn text(mut store: impl AsContextMut, bytes: Rooted<ArrayRef>) -> Result<String, Error> {
    let mut buffer = vec![0; bytes.len(&mut store)? as usize];
    bytes.copy_to_i8_slice(&mut store, &mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer).into_owned())
}

#[test]
fn the_example_runs() -> Result<(), Error> {
    main()
}
