use similar_asserts::assert_eq;

use super::sample::{always, at, with_message};
use super::*;

fn notice() -> Notice {
    Notice {
        until: Some(at("2026-12-06T03:00:00.25Z")),
        ..with_message("We are upgrading our \"database\".\nBack soon.")
    }
}

fn read(json: &str) -> Result<Notice, Error> {
    Notice::from_data(&BTreeMap::from([(NOTICE_KEY.to_owned(), json.to_owned())]))
}

#[test]
fn a_notice_survives_its_config_map() {
    assert_eq!(Notice::from_data(&notice().to_data()).unwrap(), notice());
}

#[test]
fn a_notice_of_a_window_that_always_holds_survives_its_config_map() {
    assert_eq!(Notice::from_data(&always().to_data()).unwrap(), always());
}

#[test]
fn a_notice_of_a_window_whose_apps_are_not_ready_survives_its_config_map() {
    let restoring = Notice {
        restoring: true,
        ..notice()
    };
    assert_eq!(Notice::from_data(&restoring.to_data()).unwrap(), restoring);
}

#[test]
fn a_notice_that_asks_its_clients_to_connect_anew_survives_its_config_map() {
    let asking = Notice {
        reconnect_until: Some(at("2026-12-06T02:00:00.5Z")),
        ..notice()
    };
    assert_eq!(Notice::from_data(&asking.to_data()).unwrap(), asking);
}

#[test]
fn the_whole_of_the_response_survives_its_config_map() {
    let rule = RetryAfterRule {
        format: RetryAfterFormat::HttpDate,
        jitter: 0,
        minimum: 1,
        end_unknown: 3600,
    };
    let page = Page::new(Render::Template, "<p>{{ message }}</p>\n".into());
    let whole = Notice {
        retry_after: rule,
        page: Some(page),
        health_checks: vec!["/healthz".into()],
        ..notice()
    };
    assert_eq!(Notice::from_data(&whole.to_data()).unwrap(), whole);
}

#[test]
fn the_text_of_a_page_is_read_by_who_asks_for_it() {
    let page = Page::new(Render::Verbatim, "<p>\"Back soon.\"</p>\n".into());
    let with_page = Notice {
        page: Some(page),
        ..notice()
    };
    let data = with_page.to_data();
    assert_eq!(data[PAGE_KEY], "<p>\"Back soon.\"</p>\n");
    assert!(!data[NOTICE_KEY].contains("Back soon.\\\""), "{data:?}");
    let rest = Notice::but_for_its_page(&data).unwrap();
    assert_eq!(rest.page.unwrap().html, "");
    let lost = BTreeMap::from([(NOTICE_KEY.to_owned(), data[NOTICE_KEY].clone())]);
    assert_eq!(Notice::from_data(&lost).unwrap(), notice());
}

#[test]
fn what_an_older_controller_did_not_write_is_what_nobody_wrote() {
    let json = r#"{"window": {"namespace": "shop", "name": "w"}, "uid": "1", "port": 20001,
                   "retryAfter": {"jitter": 7}}"#;
    let notice = read(json).unwrap();
    let rule = RetryAfterRule {
        jitter: 7,
        ..RetryAfterRule::default()
    };
    assert_eq!((notice.retry_after, notice.page), (rule, None));
}

#[test]
fn a_notice_is_named_by_its_port() {
    assert_eq!(Notice::object_name(20_007), "entracte-notice-20007");
}

#[test]
fn members_that_a_newer_controller_wrote_are_passed_over() {
    let json = r#"{"window": {"namespace": "shop", "name": "w", "kind": "x"}, "uid": "1",
                   "port": 20001, "jitter": 30}"#;
    let notice = read(json).unwrap();
    assert_eq!(
        (notice.port, notice.until, notice.released),
        (20_001, None, false)
    );
}

#[test]
fn what_is_not_a_notice_says_what_to_do() {
    let without = Notice::from_data(&BTreeMap::new()).unwrap_err();
    assert_eq!(
        without.to_string(),
        "the ConfigMap has no key `notice.json`: delete it, and the controller writes it anew"
    );
    let malformed = read("{").unwrap_err().to_string();
    assert!(
        malformed.starts_with("the notice is no JSON of one: EOF"),
        "{malformed}"
    );
    let zero = read(r#"{"window": {"namespace": "shop", "name": "w"}, "uid": "1", "port": 0}"#);
    assert!(matches!(zero, Err(Error::PortZero)));
}
