//! Times and sizes as people write them.

use std::time::Duration;

/// Splits `12.5ms` into the number and the unit.
fn split(text: &str) -> Result<(f64, &str), String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number
        .parse()
        .map_err(|_| "it does not begin with a number".to_owned())?;
    Ok((number, unit.trim()))
}

/// Reads `500ms`, `5s`, `1.5m`, `1h`; a number without a unit is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err(format!(
                "`{unit}` is no unit of time; there are us, ms, s, m, h"
            ));
        }
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|_| "it is too long".to_owned())
}

/// Reads `4096`, `64KiB`, `1.5GiB`, `100MB`; `K`, `M` and `G` alone are powers of 1024.
pub(crate) fn bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => {
            return Err(format!(
                "`{unit}` is no unit of size; there are B, KiB, MiB, GiB, KB, MB, GB"
            ));
        }
    };
    // Whole numbers are exact; fractions are as good as f64.
    let whole = text
        .trim_end_matches(|c: char| !c.is_ascii_digit())
        .parse::<u64>();
    let total = match whole {
        Ok(whole) => whole.checked_mul(factor),
        Err(_) => Some((number * factor as f64) as u64),
    };
    total
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| "it is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("5"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert!(
            duration("5 weeks")
                .unwrap_err()
                .contains("`weeks` is no unit")
        );
        assert!(duration("soon").is_err());
        assert!(duration("9999999999999999999999h").is_err());
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("65536"), Ok(65536));
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("64M"), Ok(64 << 20));
        assert_eq!(bytes("1.5 GiB"), Ok(3 << 29));
        assert_eq!(bytes("1KB"), Ok(1000));
        assert!(bytes("1 page").unwrap_err().contains("`page` is no unit"));
        assert!(bytes("-1").is_err());
        assert!(bytes("99999999999GiB").is_err());
    }
}
