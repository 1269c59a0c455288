//! The order in which Java's hash tables give their keys: `kafka-topics` prints in it.

/// `String.hashCode`
fn hash_code(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Sorts as a `HashMap` iterates that was made for `expected` keys and got these in their order.
pub fn hash_map_order<T>(entries: &mut [T], expected: usize, key: impl Fn(&T) -> &str) {
    let mut buckets = expected.max(1).next_power_of_two();
    while entries.len() * 4 > buckets * 3 {
        buckets *= 2;
    }
    let mask = u32::try_from(buckets - 1).unwrap_or(u32::MAX);
    let bucket = |entry: &T| {
        let hash = hash_code(key(entry)).cast_unsigned();
        (hash ^ (hash >> 16)) & mask
    };
    entries.sort_by_key(bucket);
}

/// Sorts as a `Hashtable` of Java 8 iterates (`Properties`): from the last bucket on, and in a bucket the
/// newest first.
pub fn hashtable_order<T>(entries: &mut [T], key: impl Fn(&T) -> &str) {
    let mut buckets = 11u32;
    // It grows when it holds three quarters of its buckets and gets one more.
    while entries.len() > (buckets * 3 / 4) as usize {
        buckets = buckets * 2 + 1;
    }
    let bucket = |entry: &T| (hash_code(key(entry)).cast_unsigned() & 0x7fff_ffff) % buckets;
    entries.reverse();
    entries.sort_by_key(|entry| std::cmp::Reverse(bucket(entry)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_codes_are_those_of_java() {
        // "hello".hashCode() and "".hashCode() of any JDK; the third overflows to a negative number.
        assert_eq!((hash_code("hello"), hash_code("")), (99_162_322, 0));
        assert_eq!(hash_code("polygenelubricants"), i32::MIN);
    }

    #[test]
    fn single_letters_come_in_the_order_of_their_buckets() {
        // Hash codes 97 to 100: buckets 1, 2, 3, 4 of 16; 9, 10, 0, 1 of 11.
        let mut letters = ["d", "a", "c", "b"];
        hash_map_order(&mut letters, 16, |letter| letter);
        assert_eq!(letters, ["a", "b", "c", "d"]);
        // 97 to 100 in 4 buckets, grown to 8 by the fourth key: 1, 2, 3, 4.
        hash_map_order(&mut letters, 4, |letter| letter);
        assert_eq!(letters, ["a", "b", "c", "d"]);
        let mut letters = ["d", "a", "c", "b"];
        hashtable_order(&mut letters, |letter| letter);
        assert_eq!(letters, ["b", "a", "d", "c"]);
    }

    #[test]
    fn keys_of_one_bucket_stay_in_order_in_a_map_and_turn_in_a_table() {
        // "Aa" and "BB" have one hash code.
        let mut keys = ["Aa", "BB"];
        hash_map_order(&mut keys, 2, |key| key);
        assert_eq!(keys, ["Aa", "BB"]);
        hashtable_order(&mut keys, |key| key);
        assert_eq!(keys, ["BB", "Aa"]);
    }
}
