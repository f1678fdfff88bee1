//! Arguments, environment, files, a map with random keys, JSON, regular expressions, time, a panic on demand.
use std::{collections::HashMap, fs, io::Read, time::SystemTime};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    println!("args: {args:?}");
    println!("greeting: {}", std::env::var("GREETING").unwrap_or_default());
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).unwrap();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for found in regex::Regex::new(r"\b[a-z]+\b").unwrap().find_iter(&input) {
        *counts.entry(found.as_str()).or_default() += 1;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort();
    let json = serde_json::json!({ "counts": sorted, "pi": std::f64::consts::PI });
    fs::write("/data/out.json", json.to_string()).unwrap();
    println!("{}", fs::read_to_string("/data/out.json").unwrap());
    println!("files: {}", fs::read_dir("/data").unwrap().count());
    println!("after 2020: {}", SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() > 1_577_836_800);
    println!("outside: {}", fs::read("/etc/passwd").is_ok());
    if args.iter().any(|a| a == "panic") {
        panic!("as asked");
    }
}
