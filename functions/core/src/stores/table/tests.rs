//! Tests of the table's keys and items.

use uuid::Uuid;

use super::*;
use crate::{
    checksum::Checksum,
    document::{
        FoundBy, Verification,
        tests::{at, content, empty, stamp, upload},
    },
};

const ID: &str = "00000000-0000-0000-0000-000000000007";

/// The value of an attribute, as text.
fn value(item: &Item, name: &str) -> Option<String> {
    match item.get(name)? {
        AttributeValue::S(value) | AttributeValue::N(value) => Some(value.clone()),
        other => Some(format!("{other:?}")),
    }
}

#[test]
fn every_key_reads_back_as_what_it_was_made_of() {
    let tenant: TenantId = "school-1".to_owned().try_into().unwrap();
    let key = DocumentKey { tenant: tenant.clone(), id: Uuid::from_u128(7).into() };
    let content = ContentId::of_bytes(&Checksum::sha256(b"x"));
    let orphan = Orphan::of_object(content.clone(), "1#2".to_owned(), FoundBy::Event, at(0));
    let link = Link { kind: LinkKind::Student, id: "1#2".to_owned() };
    let keys = [
        (ItemKey::document(&key), Place::Document(key.clone())),
        (ItemKey::content(&key, 1), Place::Content(key.clone())),
        (ItemKey::pointer(&key, &content), Place::Pointer(key.clone(), content)),
        (ItemKey::history(&key, 1), Place::History(key.clone())),
        (ItemKey::orphan(&key, &orphan), Place::Orphan(key.clone())),
        (ItemKey::link(&key, &link), Place::Link(key)),
        (ItemKey::association(&tenant, Uuid::nil()), Place::Association(tenant.clone(), Uuid::nil())),
        (ItemKey::shard(&tenant, 3), Place::Shard(tenant, 3)),
        (ItemKey::listing(), Place::Listing),
    ];
    for (key, place) in keys {
        assert_eq!(key.parse(), Some(place), "{key:?}");
    }
}

#[test]
fn a_key_that_we_never_made_means_nothing() {
    for (pk, sk) in [
        ("", ""),
        ("school", "document"),
        ("school#x", "document"),
        ("School#x#y", "z"),
        ("a/b", "c"),
        (&format!("school#{ID}"), "other"),
        (&format!("school#{ID}"), "version#x"),
        ("school#other#x", ID),
        ("school#usage", "counter#x"),
        ("school#usage", "counter#256"),
        ("School#usage", "counter#1"),
        ("school#orphan#x", "y"),
        ("school#student#1", "x"),
    ] {
        let key = ItemKey { pk: pk.to_owned(), sk: sk.to_owned() };
        assert_eq!(key.parse(), None, "{key:?}");
    }
}

#[test]
fn contents_and_histories_are_sorted_by_their_numbers() {
    let key = empty().key();
    for (key, sk) in [
        (ItemKey::document(&key), "document"),
        (ItemKey::content(&key, 12), "content#0000000012"),
        (ItemKey::history(&key, 21), "history#0000000021"),
    ] {
        assert_eq!((key.pk.as_str(), key.sk.as_str()), ("school#00000000-0000-0000-0000-000000000000", sk));
        assert_eq!(key.is_placed_as_content(), sk != "history#0000000021", "{sk}");
        let item = key.clone().into_item();
        assert_eq!((value(&item, "pk"), value(&item, "sk")), (Some(key.pk), Some(key.sk)));
    }
}

#[test]
fn only_what_is_pending_has_a_queue_and_a_time() {
    let stored = empty().receive(content(1, at(0)), &stamp(1)).unwrap().next;
    let begun = Document { upload: Some(upload(1, false, at(0))), ..stored.clone() };
    let unverified = Content { verification: Verification::Pending, ..content(1, at(0)) };
    let orphan = Orphan::of_upload(&upload(1, false, at(0)), at(0));
    let key = stored.key();
    for (item, due) in [
        (document_item(&stored), None),
        (document_item(&begun), Some("900")),
        (content_item(&key, &content(1, at(0))), None),
        (content_item(&key, &unverified), Some("60")),
        (orphan_item(&key, &orphan), Some("7200")),
    ] {
        let item = item.unwrap();
        assert_eq!(value(&item, "due").as_deref(), due, "{item:?}");
        assert_eq!(value(&item, "queue").as_deref(), due.map(|_| "0"), "{item:?}");
    }
}

#[test]
fn every_item_reads_back_as_what_it_holds() {
    let document = empty().receive(content(1, at(0)), &stamp(1)).unwrap().next;
    let key = document.key();
    let written = |key: ItemKey, item: Result<Item>| Record::read(&key, item.unwrap()).unwrap();
    let stored = document.content.clone().unwrap();
    assert!(matches!(
        written(ItemKey::document(&key), document_item(&document)),
        Record::Document(read) if *read == document
    ));
    assert!(matches!(
        written(ItemKey::content(&key, 1), content_item(&key, &stored)),
        Record::Content(of, read) if of == key && *read == stored
    ));
    let pointer = ItemKey::pointer(&key, &stored.content_id);
    assert!(matches!(
        written(pointer.clone(), item(pointer, &Pointer { sequence: 3 })),
        Record::Pointer(of, content_id, 3) if of == key && content_id == stored.content_id
    ));
    let (place, entries) = (ItemKey::history(&key, 1), document.history.clone());
    assert!(matches!(
        written(place.clone(), item(place, &History { entries: entries.clone() })),
        Record::History(of, read) if of == key && read == entries
    ));
    let orphan = Orphan::of_object(stored.content_id, "v".to_owned(), FoundBy::Event, at(0));
    assert!(matches!(
        written(ItemKey::orphan(&key, &orphan), orphan_item(&key, &orphan)),
        Record::Orphan(of, read) if of == key && read == orphan
    ));
    let link = ItemKey::link(&key, document.links().first().unwrap());
    assert!(matches!(written(link.clone(), Ok(link.into_item())), Record::Link(of) if of == key));
    let shard = ItemKey::shard(&key.tenant, 3);
    let counts = Item::from([("uploads".to_owned(), number(2)), ("pk".to_owned(), text("x"))]);
    assert!(matches!(
        written(shard, Ok(counts)),
        Record::Shard(counts) if counts == HashMap::from([("uploads".to_owned(), 2)])
    ));
    let listing = Listing::next(None, at(0)).unwrap();
    assert!(matches!(
        written(ItemKey::listing(), item(ItemKey::listing(), &listing)),
        Record::Listing(read) if read == listing
    ));
}

#[test]
fn an_item_that_cannot_be_read_is_named_by_its_place_and_tenant() {
    let of_person = ItemKey { pk: "school#student#12345".to_owned(), sk: "x".to_owned() };
    for key in [of_person, ItemKey::document(&empty().key())] {
        let error = Record::read(&key, Item::new()).unwrap_err().to_string();
        assert!(error.contains(&format!("the item {} of school", key.sk)) && !error.contains("12345"), "{error}");
    }
    assert!(read::<Document>(Item::new()).is_err());
}

#[test]
fn the_counts_of_a_client_have_names_of_their_own() {
    assert_eq!(counts_of_client("sis"), ["uploads#sis", "bytes#sis"]);
}
