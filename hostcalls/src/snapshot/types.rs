//! Types of an engine as numbers of a snapshot, and back.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use sheave_types::{SubType, TypeRegistry};

/// Collects types with all that they refer to, in an order in which they can be registered.
pub(super) struct Collector<'a> {
    registry: &'a TypeRegistry,
    numbers: HashMap<u32, u32>,
    pub(super) types: Vec<SubType>,
    pub(super) group_ends: Vec<u32>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(registry: &'a TypeRegistry) -> Collector<'a> {
        Collector {
            registry,
            numbers: HashMap::new(),
            types: Vec::new(),
            group_ends: Vec::new(),
        }
    }

    /// The number of a type. It is of this engine.
    pub(super) fn number(&mut self, id: u32) -> Result<u32> {
        // Groups whose needs are being looked at, from the outermost in: no recursion, as they can nest deeply.
        let mut open = vec![id];
        while let Some(&id) = open.last() {
            if self.numbers.contains_key(&id) {
                open.pop();
                continue;
            }
            let (first, len) = self.def(id)?.group;
            let mut group = Vec::new();
            for id in first..first + len {
                group.push(self.def(id)?);
            }
            let before = open.len();
            for def in &group {
                // The mapped type is thrown away; this walks over what it refers to.
                let _ = def.ty.map(|x| {
                    if !(first..first + len).contains(&x) && !self.numbers.contains_key(&x) {
                        open.push(x);
                    }
                    Some(x)
                });
            }
            if open.len() > before {
                continue;
            }
            let at = self.types.len() as u32;
            self.numbers.extend((first..first + len).zip(at..));
            for def in &group {
                let numbers = &self.numbers;
                let ty = def.ty.map(|x| numbers.get(&x).copied());
                self.types
                    .push(ty.ok_or_else(|| anyhow!("a type without number"))?);
            }
            self.group_ends.push(self.types.len() as u32);
            open.pop();
        }
        self.numbers
            .get(&id)
            .copied()
            .ok_or_else(|| anyhow!("a type without number"))
    }

    /// The numbers given so far, by identity.
    pub(super) fn numbers(&self) -> &HashMap<u32, u32> {
        &self.numbers
    }

    fn def(&self, id: u32) -> Result<std::sync::Arc<sheave_types::TypeDef>> {
        let def = self.registry.get(id);
        def.ok_or_else(|| anyhow!("there is no type {id}"))
    }
}

/// Registers the types of a snapshot; gives their identities by number.
pub(super) fn register(
    registry: &TypeRegistry,
    types: &[SubType],
    group_ends: &[u32],
) -> Result<Vec<u32>> {
    let mut ids = Vec::with_capacity(types.len());
    for end in group_ends {
        let first = ids.len() as u32;
        let group = types.get(first as usize..*end as usize).ok_or_else(|| {
            anyhow!("inconsistent snapshot: a group of types ends before it begins")
        })?;
        let id = registry.register(group, first, &ids)?;
        ids.extend((id..).take(group.len()));
    }
    Ok(ids)
}
