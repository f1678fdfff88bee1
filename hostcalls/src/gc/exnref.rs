//! References to exceptions.

use crate::gc::rooting::gc_ref;

gc_ref! {
    /// A reference to an exception. Spec: syntax-heaptype (`exn`).
    ExnRef;
}
