//! JSON: parse a document to typed data and to a tree, and print both.
use serde::{Deserialize, Serialize};
common::export!(program);

#[derive(Serialize, Deserialize)]
struct Person {
    id: u64,
    name: String,
    score: f64,
    active: bool,
    tags: Vec<String>,
    place: Option<Place>,
}

#[derive(Serialize, Deserialize)]
struct Place {
    lat: f64,
    lon: f64,
}

fn program(n: u32) -> u64 {
    let mut rng = common::Rng::new(1);
    let text = common::text(2000);
    let words: Vec<&str> = text.split_whitespace().collect();
    let people: Vec<Person> = (0..200)
        .map(|id| Person {
            id,
            name: words[id as usize].to_string(),
            score: rng.unit() * 1000.0,
            active: rng.below(2) == 0,
            tags: (0..rng.below(5)).map(|i| words[i as usize + 40].to_string()).collect(),
            place: (rng.below(3) == 0).then(|| Place { lat: rng.unit() * 90.0, lon: rng.unit() * 180.0 }),
        })
        .collect();
    let mut json = serde_json::to_string(&people).unwrap();
    let mut sum = 0;
    for _ in 0..n {
        let typed: Vec<Person> = serde_json::from_str(&json).unwrap();
        json = serde_json::to_string(&typed).unwrap();
        let tree: serde_json::Value = serde_json::from_str(&json).unwrap();
        let pretty = serde_json::to_string_pretty(&tree).unwrap();
        sum = common::mix(sum, pretty.len() as u64);
    }
    common::mix_bytes(sum, json.as_bytes())
}
