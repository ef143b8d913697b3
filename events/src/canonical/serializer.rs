//! Canonical JSON of whatever serialises, without a [`Value`] in between.
//!
//! Invariant: it writes what [`Writer::value`] writes of the value that the same thing serialises to.

use super::{Writer, write_string};
use serde::{
    Serialize,
    ser::{self, Error as _},
};
use serde_json::{Error, Value, value::to_value};
use std::{borrow::Cow, fmt::Display};

/// As what `serde_json` serialises a number whose text it keeps.
const NUMBER: &str = "$serde_json::private::Number";

/// As what it serialises JSON that it has not read.
const RAW: &str = "$serde_json::private::RawValue";

impl Writer {
    fn displayed(&mut self, number: impl Display) {
        use std::io::Write as _;
        write!(self.text, "{number}").expect("memory takes all bytes");
    }

    /// Begins what a variant of an enum carries.
    fn variant(&mut self, name: &str) {
        self.text.push(b'{');
        write_string(&mut self.text, name);
        self.text.push(b':');
    }

    fn items(&mut self, ends: &'static [u8]) -> Items<'_> {
        self.text.push(b'[');
        Items { writer: self, is_first: true, ends }
    }

    fn members(&mut self, count: Option<usize>, ends: &'static [u8]) -> Members<'_> {
        self.text.push(b'{');
        let begins = self.text.len();
        Members { writer: self, begins, members: Vec::with_capacity(count.unwrap_or(0)), is_sorted: true, ends }
    }
}

macro_rules! plain {
    ($($name:ident $number:ty),+) => {
        $(fn $name(self, number: $number) -> Result<(), Error> {
            self.displayed(number);
            Ok(())
        })+
    };
}

impl<'a> ser::Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Struct<'a>;
    type SerializeStructVariant = Members<'a>;

    plain!(serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_i128 i128);
    plain!(serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_u128 u128);

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.displayed(value);
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), Error> {
        self.value(&Value::from(number), &[]);
        Ok(())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Error> {
        self.value(&Value::from(number), &[]);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        write_string(&mut self.text, text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        bytes.serialize(self)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.text.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.text.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(self.items(b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, Error> {
        Ok(self.items(b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, Error> {
        Ok(self.items(b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, Error> {
        self.variant(variant);
        Ok(self.items(b"]}"))
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Members<'a>, Error> {
        Ok(self.members(count, b"}"))
    }

    fn serialize_struct(self, name: &'static str, count: usize) -> Result<Struct<'a>, Error> {
        Ok(match name {
            NUMBER | RAW => Struct::Text(self),
            _ => Struct::Members(self.members(Some(count), b"}")),
        })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Members<'a>, Error> {
        self.variant(variant);
        Ok(self.members(Some(count), b"}}"))
    }
}

/// The items of an array.
pub(super) struct Items<'a> {
    writer: &'a mut Writer,
    is_first: bool,
    ends: &'static [u8],
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::take(&mut self.is_first) {
            self.writer.text.push(b',');
        }
        value.serialize(&mut *self.writer)
    }

    fn finish(self) {
        self.writer.text.extend_from_slice(self.ends);
    }
}

macro_rules! items {
    ($($kind:ident $item:ident),+) => {
        $(impl ser::$kind for Items<'_> {
            type Ok = ();
            type Error = Error;

            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish();
                Ok(())
            }
        })+
    };
}
items!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field);
items!(SerializeTupleVariant serialize_field);

/// The members of an object, written as they come and put in order at its end.
pub(super) struct Members<'a> {
    writer: &'a mut Writer,
    /// Where the first of them begins.
    begins: usize,
    /// Their names, and where each begins.
    members: Vec<(Cow<'static, str>, usize)>,
    is_sorted: bool,
    ends: &'static [u8],
}

impl Members<'_> {
    fn name(&mut self, name: Cow<'static, str>) {
        if let Some((last, _)) = self.members.last() {
            self.is_sorted &= **last < *name;
            self.writer.text.push(b',');
        }
        let begins = self.writer.text.len();
        write_string(&mut self.writer.text, &name);
        self.writer.text.push(b':');
        self.members.push((name, begins));
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.name(Cow::Borrowed(name));
        value.serialize(&mut *self.writer)
    }

    fn finish(mut self) {
        if !self.is_sorted {
            self.sort();
        }
        self.writer.text.extend_from_slice(self.ends);
    }

    /// Of two members of one name the later one counts.
    fn sort(&mut self) {
        let text = self.writer.text.split_off(self.begins);
        let after = self.members[1..].iter().map(|(_, begins)| begins - 1).chain([self.begins + text.len()]);
        let mut members: Vec<_> = self.members.iter().zip(after).map(|((name, from), to)| (name, *from, to)).collect();
        members.sort_by_key(|(name, ..)| *name);
        for (i, (name, from, to)) in members.iter().enumerate() {
            if members.get(i + 1).is_some_and(|(next, ..)| next == name) {
                continue;
            }
            if self.writer.text.len() > self.begins {
                self.writer.text.push(b',');
            }
            self.writer.text.extend_from_slice(&text[from - self.begins..to - self.begins]);
        }
    }
}

impl ser::SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let name = match to_value(key)? {
            Value::String(name) => name,
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => return Err(Error::custom("a member's name must be text")),
        };
        self.name(Cow::Owned(name));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl ser::SerializeStructVariant for Members<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.member(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

/// A struct, or what `serde_json` serialises as one.
pub(super) enum Struct<'a> {
    Members(Members<'a>),
    /// JSON as text: of a number, or of what was not read.
    Text(&'a mut Writer),
}

impl ser::SerializeStruct for Struct<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        match self {
            Self::Members(members) => members.member(name, value),
            Self::Text(writer) => {
                let Value::String(text) = to_value(value)? else { return Err(Error::custom("no text of JSON")) };
                writer.value(&serde_json::from_str(&text)?, &[]);
                Ok(())
            }
        }
    }

    fn end(self) -> Result<(), Error> {
        if let Self::Members(members) = self {
            members.finish();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, value::RawValue};
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Unsorted<'a, T> {
        zebra: T,
        apple: Option<&'a str>,
        #[serde(rename = "Ünder\n")]
        under: (i8, u128, char),
        #[serde(flatten)]
        rest: BTreeMap<&'a str, Value>,
    }

    #[derive(Serialize)]
    enum Kinds {
        Unit,
        New(u8),
        Tuple(bool, f64),
        Struct { b: (), a: [i64; 2] },
    }

    fn check(fact: &impl Serialize) {
        let (mut direct, mut of_value) = (Writer::new(), Writer::new());
        fact.serialize(&mut direct).expect("serialises");
        of_value.value(&to_value(fact).expect("serialises"), &[]);
        assert_eq!(direct.as_given, of_value.as_given);
        assert_eq!(direct.finish(), of_value.finish());
    }

    #[test]
    fn it_writes_what_is_written_of_the_value() {
        let kinds = || [Kinds::Unit, Kinds::New(7), Kinds::Tuple(true, -0.5), Kinds::Struct { b: (), a: [1, -2] }];
        let rest = || BTreeMap::from([("middle", json!({"y": [1.50, {}], "x": null})), ("a\"b", json!(-0.0))]);
        let under = (-1, u128::MAX, '\u{1f600}');
        check(&Unsorted { zebra: kinds(), apple: None, under, rest: BTreeMap::new() });
        check(&Unsorted {
            zebra: RawValue::from_string(r#"{"b": 1.0, "a": "ü"}"#.into()).expect("JSON"),
            apple: Some("x"),
            under,
            rest: rest(),
        });
        // The later one of two members of one name.
        check(&Unsorted {
            zebra: 1,
            apple: Some("x"),
            under,
            rest: BTreeMap::from([("apple", json!(2)), ("zebra", json!(3))]),
        });
        check(&BTreeMap::from([(10, "ten"), (9, "nine")]));
        check(&Vec::<u8>::new());
        check(&1.5_f32);
    }
}
