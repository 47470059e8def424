//! Single packets: what is patched changes nowhere else, and what is written is read back.

use super::Input;
use crate::protocol::answer;
use crate::protocol::capabilities::{Capabilities, PROTOCOL_41};
use crate::protocol::greeting::Greeting;
use crate::protocol::login::{AuthSwitch, First, Login};
use crate::protocol::ok::{Error, Ok};
use crate::protocol::{progress, query as text, session_state};

/// A greeting, patched: the same greeting with other capabilities.
pub fn greeting(data: &[u8]) {
    let Some(greeting) = Greeting::parse(data) else {
        return;
    };
    for offers_tls in [false, true] {
        let mut patched = data.to_vec();
        greeting.patch(&mut patched, offers_tls);
        let Some(again) = Greeting::parse(&patched) else {
            panic!("the patched greeting is not one");
        };
        assert_eq!(again.offers_tls(), offers_tls);
        assert_eq!(again.relayed(), greeting.relayed());
        assert_eq!(
            (&again.version, &again.nonce),
            (&greeting.version, &greeting.nonce)
        );
        let changed = data.iter().zip(&patched).filter(|(old, new)| old != new).count();
        assert!(
            data.len() == patched.len() && changed <= 4,
            "more than capabilities changed"
        );
    }
}

/// A login and a change of user: an answer that is replaced is the one that is read again.
pub fn login(data: &[u8]) {
    let mut input = Input(data);
    let (agreed, length) = (input.capabilities(), usize::from(input.byte()));
    let (answer, payload) = (input.bytes(length), input.0);
    if let Some(login) = Login::parse(payload) {
        if let Some(first) = &login.first {
            replaced(payload, first, answer, |other| Login::parse(other)?.first);
        }
        let mut patched = payload.to_vec();
        Login::patch(&mut patched, true);
        assert_eq!(patched.get(4..), payload.get(4..));
    }
    if let Some(request) = Login::tls_request(payload).filter(|_| PROTOCOL_41 & payload_bits(payload) != 0) {
        assert!(Login::parse(&request).is_some_and(|login| login.wants_tls));
    }
    if let Some(first) = First::of_change_user(payload, agreed) {
        replaced(payload, &first, answer, |other| {
            First::of_change_user(other, agreed)
        });
    }
    if let Some(switch) = AuthSwitch::parse(payload) {
        assert!(switch.nonce.len() < payload.len());
    }
}

fn payload_bits(payload: &[u8]) -> u32 {
    Input(payload).u32()
}

fn replaced(payload: &[u8], first: &First, answer: &[u8], read: impl Fn(&[u8]) -> Option<First>) {
    let own = first.answer(payload);
    assert!(own.len() <= payload.len());
    let Some(other) = first.replaced(payload, answer) else {
        return;
    };
    let Some(again) = read(&other) else {
        panic!("the packet with another answer is not one");
    };
    assert_eq!(again.answer(&other), answer);
    assert_eq!(again.plugin, first.plugin);
    assert_eq!(again.replaced(&other, own), first.replaced(payload, own));
}

/// The text behind query attributes begins at one place, however much of it has come; a text of our own is read back.
pub fn query(data: &[u8]) {
    let mut input = Input(data);
    let capabilities = input.capabilities();
    let body = input.0;
    let begins = text::text(body, capabilities).map(|text| body.len() - text.len());
    for length in 0..body.len() {
        let part = body.get(..length).unwrap_or_default();
        let found = text::text(part, capabilities).map(|text| part.len() - text.len());
        assert_eq!(
            found,
            begins.filter(|begins| length >= *begins),
            "cut at {length}"
        );
    }
    if let std::result::Result::Ok(sql) = str::from_utf8(body) {
        let payload = text::payload(sql, capabilities);
        let read = payload.get(1..).and_then(|body| text::text(body, capabilities));
        assert_eq!(read, Some(sql.as_bytes()));
    }
}

/// Answers: what the proxy writes is read back, and what it passes on keeps its counters.
pub fn ok(data: &[u8]) {
    let mut input = Input(data);
    let (affected, warnings, flags) = (
        u64::from(input.u32()) << (input.byte() % 32),
        input.u32(),
        input.u32(),
    );
    let [warnings, flags] = [warnings, flags].map(|value| u16::try_from(value & 0xffff).unwrap_or_default());
    let count = usize::from(input.byte());
    let (earlier, payload) = (input.bytes(count), input.0);
    let info = String::from_utf8_lossy(payload);
    let made = answer::ok(0, affected, flags, warnings, &info);
    assert_eq!(
        Ok::parse(&made).map(|ok| (ok.affected, ok.warnings)),
        Some((affected, warnings))
    );
    let modern = Capabilities {
        base: PROTOCOL_41,
        extended: 0,
    };
    let error = answer::err(modern, warnings, "42S02", &info);
    assert_eq!(
        Error::parse(&error).map(|error| (error.code, error.message)),
        Some((warnings, info.into_owned()))
    );
    let _ = Error::parse(payload);
    let _ = progress::is_progress(payload);

    let mut told = Vec::new();
    session_state::collect(&mut told, earlier);
    let passed = session_state::for_client(payload, told.clone());
    assert!(
        passed.len() <= payload.len() + earlier.len() + 12,
        "more was passed on than was told"
    );
    let counters = |payload: &[u8]| Ok::parse(payload).map(|ok| (ok.affected, ok.warnings));
    assert_eq!(counters(&passed), counters(payload));
    // Passed on once, it says the same when it is passed on again.
    assert_eq!(session_state::for_client(&passed, told), passed);
}
