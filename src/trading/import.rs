//! From records to fills: duplicates, corrections and busts settled, every bad record named.
//!
//! Invariant: a record either is in the fills or has a note that says why it is not.

use super::{
    is_simulated,
    record::{Form, Read, Record},
    says_simulated,
    settings::{Settings, shown},
};
use flywheel_events::{Fill, ImportNote, NoteKind, RecordClaim, SessionCompleted};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What the records come to.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// By instant, then by place in the input.
    pub fills: Vec<Fill>,
    /// By place in the input.
    pub notes: Vec<ImportNote>,
    /// What records claim.
    pub claims: Vec<RecordClaim>,
}

/// Reads all records of a session: `fills`, then `trades`.
pub fn import(session: &SessionCompleted, settings: &Settings) -> Import {
    let source = &session.source_data;
    let lists = [("fills", &source.fills), ("trades", &source.trades)];
    let mut book = Book { settings, slots: vec![], by_id: BTreeMap::new(), notes: vec![] };
    let simulated = is_simulated(session);
    let mut later = vec![];
    let mut order = 0;
    for (list, values) in lists {
        for (index, value) in values.iter().enumerate() {
            order += 1;
            match Record::of(list, index, value) {
                Err(fault) => book.notes.push((
                    order,
                    ImportNote {
                        kind: NoteKind::Skipped,
                        record: Some(format!("{list}[{index}]")),
                        index: Some(index as u64),
                        exec_id: None,
                        message: format!("the record {fault}"),
                    },
                )),
                Ok(record) if !simulated && says_simulated(&record.fields) => {
                    let message = "is simulated, and simulated results are never mixed with real ones".into();
                    book.note(order, &record, NoteKind::Skipped, message);
                }
                Ok(record) => match (record.form, record.text("type").as_deref()) {
                    (Form::Trade, _) | (_, None | Some("trade" | "expiration")) => book.enter(order, record),
                    (_, Some("trade_correct" | "trade_bust")) => later.push((order, record)),
                    (_, Some(_)) => {
                        let kind = shown(&record.fields["type"]);
                        let expected = "`trade`, `expiration`, `trade_correct` or `trade_bust`";
                        book.note(order, &record, NoteKind::Skipped, format!("`type` is {kind}: expected {expected}"));
                    }
                },
            }
        }
    }
    for (order, record) in later {
        if record.text("type").as_deref() == Some("trade_bust") {
            book.bust(order, &record);
        } else {
            book.correct(order, record);
        }
    }
    book.close()
}

struct Slot {
    order: usize,
    record: Record,
    busted: bool,
    /// Which `.NN` of an IBKR id it holds.
    version: u32,
}

struct Book<'a> {
    settings: &'a Settings,
    slots: Vec<Slot>,
    /// By id and account: two brokers may give out the same id.
    by_id: BTreeMap<(String, String), usize>,
    notes: Vec<(usize, ImportNote)>,
}

impl Book<'_> {
    fn note(&mut self, order: usize, record: &Record, kind: NoteKind, message: String) {
        let note = ImportNote {
            kind,
            record: Some(record.name.clone()),
            index: Some(record.index),
            exec_id: record.text("exec_id"),
            message,
        };
        self.notes.push((order, note));
    }

    /// A trade or an expiration.
    fn enter(&mut self, order: usize, record: Record) {
        let Some(id) = record.text("exec_id") else {
            self.slots.push(Slot { order, record, busted: false, version: 0 });
            return;
        };
        let account = record.account();
        if let Some(&at) = self.by_id.get(&(id.clone(), account.clone())) {
            return self.enter_again(order, record, at);
        }
        let versioned = self.settings.ibkr_ids.then(|| ibkr_version(&id)).flatten();
        let stem = versioned.map(|(stem, _)| format!("{stem}."));
        let version = versioned.map_or(0, |(_, version)| version);
        if let Some(&at) = stem.as_ref().and_then(|stem| self.by_id.get(&(stem.clone(), account.clone()))) {
            self.by_id.insert((id, account), at);
            let slot = &self.slots[at];
            let (older, newer) = if version > slot.version { (&slot.record, &record) } else { (&record, &slot.record) };
            let message = format!("{} corrects {}; only the correction counts", newer.name, older.name);
            self.note(order, &record, NoteKind::Correction, message);
            let slot = &mut self.slots[at];
            if version > slot.version {
                (slot.record, slot.version) = (record, version);
            }
            return;
        }
        let at = self.slots.len();
        self.slots.push(Slot { order, record, busted: false, version });
        if let Some(stem) = stem {
            // A stem ends in a dot, and no id that is matched whole does.
            self.by_id.insert((stem, account.clone()), at);
        }
        self.by_id.insert((id, account), at);
    }

    /// A record with the id of an earlier one: a repetition, a contradiction, or the readable one of the two.
    fn enter_again(&mut self, order: usize, record: Record, at: usize) {
        let first = &self.slots[at].record;
        let name = first.name.clone();
        match (content(first, self.settings), content(&record, self.settings)) {
            (Err(faults), Ok(_)) => {
                let slot = &mut self.slots[at];
                let unreadable = std::mem::replace(&mut slot.record, record);
                let earlier = std::mem::replace(&mut slot.order, order);
                self.note(earlier, &unreadable, NoteKind::Skipped, faults.join("; "));
            }
            (_, Err(faults)) if first.fields != record.fields => {
                self.note(order, &record, NoteKind::Skipped, faults.join("; "));
            }
            (first, second) if first == second => {
                self.note(order, &record, NoteKind::Duplicate, format!("the same as {name}; counted once"));
            }
            _ => {
                let message = format!("has the execution id of {name} with other content; {name} counts");
                self.note(order, &record, NoteKind::Conflict, message);
            }
        }
    }

    fn referred(&self, record: &Record) -> (Option<String>, Option<usize>) {
        let id = record.text("ref_exec_id").or_else(|| record.text("exec_id"));
        let at = id.as_ref().and_then(|id| {
            let own = self.by_id.get(&(id.clone(), record.account())).copied();
            // A bust may leave the account out; it is meant for the one account that knows the id.
            let mut others = self.by_id.range((id.clone(), String::new())..).take_while(|((other, _), _)| other == id);
            own.or_else(|| others.next().map(|(_, at)| *at).filter(|_| others.next().is_none()))
        });
        (id, at)
    }

    fn bust(&mut self, order: usize, record: &Record) {
        let (id, at) = self.referred(record);
        let id = id.unwrap_or_else(|| "nothing".into());
        let Some(at) = at else {
            self.note(order, record, NoteKind::Skipped, format!("busts {id}, which is not among the records"));
            return;
        };
        let name = self.slots[at].record.name.clone();
        if std::mem::replace(&mut self.slots[at].busted, true) {
            self.note(order, record, NoteKind::Duplicate, format!("busts {name}, which was busted before"));
        } else {
            self.note(order, record, NoteKind::Bust, format!("{name} ({id}) was busted and counts nowhere"));
        }
    }

    /// A correction states what differs; the rest, and the time of the execution, are the original's.
    fn correct(&mut self, order: usize, mut record: Record) {
        let (id, at) = self.referred(&record);
        let own = record.text("exec_id");
        let named = id.clone().unwrap_or_else(|| "nothing".into());
        record.fields.remove("type");
        record.fields.remove("ref_exec_id");
        let Some(at) = at else {
            let message = format!("corrects {named}, which is not among the records; it is read as a fill of its own");
            self.note(order, &record, NoteKind::Correction, message);
            self.enter(order, record);
            return;
        };
        let account = self.slots[at].record.account();
        if own.as_ref().is_some_and(|own| own != &named && self.by_id.contains_key(&(own.clone(), account.clone()))) {
            self.note(order, &record, NoteKind::Duplicate, format!("corrects {named} once more under the same id"));
            return;
        }
        let slot = &mut self.slots[at];
        let name = slot.record.name.clone();
        let message = if slot.busted {
            format!("corrects {name}, which was busted; it counts nowhere")
        } else {
            format!("corrects {name} ({named}); only the correction counts")
        };
        let mut fields: Map<String, Value> = slot.record.fields.clone();
        fields.extend(record.fields.clone().into_iter().filter(|(name, _)| name != "ts"));
        slot.record.fields = fields;
        if let Some(own) = own {
            self.by_id.insert((own, account), at);
        }
        self.note(order, &record, NoteKind::Correction, message);
    }

    fn close(mut self) -> Import {
        self.fill_in("currency");
        self.fill_in("multiplier");
        let mut import = Import::default();
        let slots = std::mem::take(&mut self.slots);
        for slot in slots.iter().filter(|slot| !slot.busted) {
            match slot.record.read(self.settings) {
                Ok(read) => {
                    for remark in read.remarks {
                        self.note(slot.order, &slot.record, NoteKind::Remark, remark);
                    }
                    import.fills.extend(read.fills);
                    import.claims.extend(read.claim);
                }
                Err(faults) => self.note(slot.order, &slot.record, NoteKind::Skipped, faults.join("; ")),
            }
        }
        // Stable: what happened in the same instant stays in the order of the input.
        import.fills.sort_by_key(|fill| fill.ts);
        self.notes.sort_by_key(|(order, _)| *order);
        import.notes = self.settings.notes.clone();
        import.notes.extend(self.notes.into_iter().map(|(_, note)| note));
        import
    }

    /// A record that leaves out the currency or the multiplier takes it from another one of its account and symbol:
    /// an exit without the entry's multiplier is the same contract.
    fn fill_in(&mut self, field: &str) {
        let key = |record: &Record| (record.account(), record.text("symbol"));
        let mut known = BTreeMap::new();
        for slot in &self.slots {
            if let Some(value) = slot.record.fields.get(field) {
                known.entry(key(&slot.record)).or_insert_with(|| value.clone());
            }
        }
        for slot in &mut self.slots {
            if let Some(value) = known.get(&key(&slot.record)) {
                slot.record.fields.entry(field).or_insert_with(|| value.clone());
            }
        }
    }
}

/// What a record says, without where it stands.
fn content(record: &Record, settings: &Settings) -> Result<Vec<Fill>, Vec<String>> {
    let Read { mut fills, .. } = record.read(settings)?;
    fills.iter_mut().for_each(|fill| {
        fill.record.clear();
        fill.extra.clear();
    });
    Ok(fills)
}

/// `0000e0d5.6576fd38.01.02` → the stem and 2.
fn ibkr_version(id: &str) -> Option<(&str, u32)> {
    let (stem, version) = id.rsplit_once('.')?;
    (version.len() == 2 && !stem.is_empty()).then(|| version.parse().ok().map(|version| (stem, version))).flatten()
}
