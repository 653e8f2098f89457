//! What every state store promises, held against each kind: SQLite, and Firestore in Google's emulator.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use drift_check::decision::DatasetVerdict;
use drift_check::decision::label::{Label, Truth};
use drift_check::decision::signal::{
    DeliveryStatus, Moved, PastSignal, Reading, Rules, SignalMode, SignalName, SignalState, Telling, Transition,
};
use drift_check::report::PastRun;
use drift_check::store::outbox::{Claim, ClaimRequest, Draft, LastAttempt};
use drift_check::store::{
    FirestoreSettings, LabelRecord, Promotion, RunRecord, Scope, Series, Silence, StateStore, Step, to_micros,
};
use serde_json::json;
use tempfile::TempDir;

use crate::emulator;

/// Where a store is; opened as often as there are processes.
enum Place {
    Sqlite(TempDir),
    Firestore(FirestoreSettings),
}

impl Place {
    async fn open(&self) -> StateStore {
        match self {
            Self::Sqlite(folder) => {
                let path = folder.path().join("state.db").display().to_string();
                StateStore::sqlite(path, std::time::Duration::from_secs(10)).await.unwrap()
            }
            Self::Firestore(settings) => StateStore::firestore(settings.clone()).await.unwrap(),
        }
    }
}

/// One test a promise and kind.
macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::Place::Sqlite(tempfile::tempdir().unwrap())).await;
            })+
        }
        mod firestore {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                if let Some(settings) = super::emulator::settings(concat!("store_contract::firestore::", stringify!($promise))) {
                    super::$promise(super::Place::Firestore(settings)).await;
                }
            })+
        }
    };
}

contract!(
    past_runs_come_oldest_first_and_end_before_the_moment,
    series_stay_apart,
    the_same_window_is_recorded_once_and_the_newest_record_counts,
    a_signal_lives_from_opened_to_resolved,
    a_window_seen_twice_moves_a_signal_once,
    two_runs_of_one_window_at_once_agree,
    two_runs_of_one_window_at_once_create_each_message_once,
    signals_of_other_jobs_stay_apart,
    runs_over_another_length_move_no_signal_of_the_regular_ones,
    a_signal_that_nobody_heard_of_for_90_days_is_forgotten,
    a_message_is_created_with_its_transition_and_once,
    of_many_claimers_one_gets_each_message,
    a_message_that_was_not_delivered_is_due_again_when_the_lease_has_run_out,
    a_delivered_message_never_comes_back,
    a_failed_message_is_due_at_its_next_attempt,
    a_message_that_was_put_off_by_a_clock_that_was_wrong_is_due,
    a_claim_that_has_run_out_cannot_take_the_message_from_the_next,
    messages_are_claimed_in_the_order_they_are_due_and_not_more_than_asked_for,
    an_expired_message_is_not_sent,
    a_claim_knows_how_the_attempt_before_it_ended,
    a_message_in_shadow_is_kept_and_never_due_until_it_is_to_be_sent,
    the_messages_of_a_window_are_told_as_they_stand,
    a_preview_answers_and_changes_nothing,
    a_window_that_has_not_ended_yet_does_not_make_the_next_ones_old,
    silences_are_on_record_and_the_newest_comes_first,
    a_message_waits_for_the_earlier_ones_about_its_signal_on_its_channel,
    a_window_that_reads_otherwise_moves_the_signal_on_from_where_it_is,
    an_abandoned_message_is_kept_and_holds_nothing_up,
    messages_of_silenced_signals_are_not_claimed,
    a_run_comes_back_whole,
    labels_are_on_record_until_they_are_taken_back,
    promotions_are_on_record_and_the_newest_comes_first,
    signals_are_told_as_they_stand,
    messages_are_told_with_their_course,
);

fn series() -> Series {
    Series { job: "ct-scan".to_owned(), environment: "test".to_owned(), length_s: 86_400 }
}

fn moment(day: i64) -> DateTime<Utc> {
    // Not in whole seconds, as windows that end now are.
    DateTime::from_timestamp(1_769_817_600 + day * 86_400, 123_456_789).unwrap()
}

fn run(id: &str, day: i64) -> RunRecord {
    let past = PastRun {
        window_start: Some(moment(day - 1)),
        window_end: moment(day),
        verdict: DatasetVerdict::Stable,
        share: 0.125,
        rows: 7,
        features: BTreeMap::new(),
    };
    RunRecord {
        id: id.to_owned(),
        series: series(),
        trigger: "manual".to_owned(),
        started_at: moment(day),
        finished_at: moment(day),
        profile_id: "p".to_owned(),
        config_digest: "c".to_owned(),
        report_uri: String::new(),
        outcome: past,
        signals: BTreeMap::new(),
    }
}

async fn past_runs_come_oldest_first_and_end_before_the_moment(place: Place) {
    let store = place.open().await;
    for day in [3, 1, 2, 4] {
        store.record_run(run("r", day)).await.unwrap();
    }
    let again = place.open().await;
    assert_eq!(again.past_runs(series(), moment(4), 2).await.unwrap(), [run("r", 2).outcome, run("r", 3).outcome]);
    assert_eq!(again.past_runs(series(), moment(9), 9).await.unwrap().len(), 4);
    assert_eq!(again.past_runs(series(), moment(1), 9).await.unwrap(), []);
}

async fn series_stay_apart(place: Place) {
    let store = place.open().await;
    store.record_run(run("r", 1)).await.unwrap();
    for other in [
        Series { length_s: 3_600, ..series() },
        Series { job: "ct".to_owned(), ..series() },
        Series { environment: "prod".to_owned(), ..series() },
    ] {
        assert_eq!(store.past_runs(other, moment(9), 9).await.unwrap(), []);
    }
}

async fn the_same_window_is_recorded_once_and_the_newest_record_counts(place: Place) {
    let store = place.open().await;
    store.record_run(run("first", 1)).await.unwrap();
    let mut second = run("second", 1);
    second.outcome.rows = 8;
    store.record_run(second.clone()).await.unwrap();
    assert_eq!(store.past_runs(series(), moment(9), 9).await.unwrap(), [second.outcome]);
}

fn step(day: i64, state: SignalState, value: f64) -> Step {
    let reading = Reading { state, value: Some(value), threshold: Some(0.3), n: 16, interval: None };
    // A message a day while it is open.
    let rules = Rules { open_after: 1, close_after: 1, repeat: Some(TimeDelta::hours(1)), telling: Telling::Send };
    Step { series: series(), name: SignalName::DataDrift, reading, rules, window_end: moment(day), now: moment(day) }
}

async fn advance(store: &StateStore, step: Step) -> Transition {
    store.advance_signal(step, |_| Vec::new()).await.unwrap().transition
}

async fn a_signal_lives_from_opened_to_resolved(place: Place) {
    use SignalState::{Firing, Inconclusive, Quiet};
    let steps = [
        (Quiet, 0.0, Transition::None),
        (Firing, 0.4, Transition::Opened),
        (Firing, 0.45, Transition::Ongoing),
        (Firing, 0.9, Transition::Worsened),
        (Inconclusive, 0.1, Transition::Ongoing),
        (Quiet, 0.0, Transition::Resolved),
        (Quiet, 0.0, Transition::None),
    ];
    for (day, (state, value, expected)) in (1..).zip(steps) {
        // A process of its own for each window.
        assert_eq!(advance(&place.open().await, step(day, state, value)).await, expected, "day {day}");
    }
}

async fn a_window_seen_twice_moves_a_signal_once(place: Place) {
    let store = place.open().await;
    let firing = |day, value| step(day, SignalState::Firing, value);
    assert_eq!(advance(&store, firing(1, 0.4)).await, Transition::Opened);
    assert_eq!(advance(&store, firing(1, 0.4)).await, Transition::Opened);
    assert_eq!(advance(&store, firing(2, 0.4)).await, Transition::Ongoing);
    let older = Step { now: moment(3), ..firing(1, 0.9) };
    assert_eq!(advance(&store, older).await, Transition::None, "an older window");
    assert_eq!(advance(&store, firing(3, 0.9)).await, Transition::Worsened);
}

async fn two_runs_of_one_window_at_once_agree(place: Place) {
    let stores = [place.open().await, place.open().await, place.open().await, place.open().await];
    let at_once = stores.map(|store| tokio::spawn(async move { advance(&store, step(1, SignalState::Firing, 0.4)).await }));
    for transition in at_once {
        assert_eq!(transition.await.unwrap(), Transition::Opened);
    }
    assert_eq!(advance(&place.open().await, step(2, SignalState::Firing, 0.4)).await, Transition::Ongoing);
}

fn scope() -> Scope {
    series().scope()
}

fn draft(channel: &str) -> Draft {
    Draft {
        channel: channel.to_owned(),
        payload: json!({ "text": "Drift: 5 of 16 \u{1f4c8}", "n": 16 }),
        payload_version: 3,
        is_shadow: false,
    }
}

/// Opens a signal with messages for these channels.
async fn open_with(store: &StateStore, step: Step, channels: &'static [&'static str]) -> Transition {
    store.advance_signal(step, move |_| channels.iter().map(|channel| draft(channel)).collect()).await.unwrap().transition
}

fn firing(day: i64) -> Step {
    step(day, SignalState::Firing, 0.4)
}

fn request(claimer: &str, now: DateTime<Utc>) -> ClaimRequest {
    ClaimRequest { scope: scope(), claimer: claimer.to_owned(), now, lease: TimeDelta::minutes(10), limit: 100, except: Vec::new() }
}

async fn claim(store: &StateStore, claimer: &str, now: DateTime<Utc>) -> Vec<Claim> {
    store.claim_due(request(claimer, now)).await.unwrap()
}

async fn two_runs_of_one_window_at_once_create_each_message_once(place: Place) {
    let stores = [place.open().await, place.open().await, place.open().await];
    let at_once = stores.map(|store| tokio::spawn(async move { open_with(&store, firing(1), &["slack", "email"]).await }));
    for transition in at_once {
        assert_eq!(transition.await.unwrap(), Transition::Opened);
    }
    assert_eq!(claim(&place.open().await, "a", moment(2)).await.len(), 2);
}

async fn signals_of_other_jobs_stay_apart(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    let mut other = firing(2);
    other.series.job = "other".to_owned();
    assert_eq!(advance(&store, other.clone()).await, Transition::Opened);
    let elsewhere = ClaimRequest { scope: other.series.scope(), ..request("a", moment(3)) };
    assert_eq!(store.claim_due(elsewhere).await.unwrap(), [], "the messages of a job are its own");
}

async fn runs_over_another_length_move_no_signal_of_the_regular_ones(place: Place) {
    let store = place.open().await;
    let of_an_hour = |day, state| {
        let mut step = step(day, state, 0.4);
        step.series.length_s = 3_600;
        step
    };
    open_with(&store, firing(1), &["slack"]).await;
    // The same end, signal, transition and channel: still another message.
    assert_eq!(open_with(&store, of_an_hour(1, SignalState::Firing), &["slack"]).await, Transition::Opened);
    // Of an end that the regular ones have not reached, and quiet, where they fire.
    assert_eq!(open_with(&store, of_an_hour(5, SignalState::Quiet), &["slack"]).await, Transition::Resolved);
    assert_eq!(advance(&store, firing(2)).await, Transition::Ongoing);
    let claims = claim(&store, "a", moment(6)).await;
    let mut keys: Vec<_> = claims.iter().map(|claim| (claim.key.length_s, claim.key.transition)).collect();
    keys.sort_by_key(|(length, transition)| (*length, transition.to_string()));
    // The resolution of the other one waits for its opening.
    assert_eq!(keys, [(3_600, Transition::Opened), (86_400, Transition::Opened)]);
    // One of the two is delivered, and the other is due again when the lease has run out.
    let regular = claims.into_iter().find(|claim| claim.key.length_s == 86_400).unwrap();
    store.mark_delivered(regular, moment(6)).await.unwrap();
    assert_eq!(claim(&store, "b", moment(7)).await.len(), 1);
}

async fn a_signal_that_nobody_heard_of_for_90_days_is_forgotten(place: Place) {
    let store = place.open().await;
    assert_eq!(advance(&store, firing(1)).await, Transition::Opened);
    assert_eq!(advance(&store, firing(90)).await, Transition::Ongoing);
    assert_eq!(advance(&store, firing(181)).await, Transition::Opened);
}

async fn a_message_is_created_with_its_transition_and_once(place: Place) {
    let store = place.open().await;
    let of_transition = |moved: &Moved| match moved.transition {
        Transition::Opened | Transition::Resolved => vec![draft("slack")],
        _ => Vec::new(),
    };
    for step in [firing(1), firing(1), firing(2), firing(1), step(3, SignalState::Quiet, 0.0)] {
        store.advance_signal(step, of_transition).await.unwrap();
    }
    let mut claims = claim(&store, "a", moment(4)).await;
    // The second waits for the first.
    store.mark_delivered(claims[0].clone(), moment(4)).await.unwrap();
    claims.extend(claim(&store, "a", moment(4)).await);
    let keys: Vec<_> = claims.iter().map(|claim| (claim.key.transition, claim.key.window_end.timestamp_micros())).collect();
    assert_eq!(keys, [(Transition::Opened, moment(1).timestamp_micros()), (Transition::Resolved, moment(3).timestamp_micros())]);
    let first = &claims[0];
    assert_eq!((&first.key.scope, first.key.signal, first.key.channel.as_str()), (&scope(), SignalName::DataDrift, "slack"));
    assert_eq!((&first.payload, first.payload_version, first.attempt), (&draft("slack").payload, 3, 1));
    assert_eq!(first.created_at.timestamp_micros(), moment(1).timestamp_micros());
    // The rerun of a window whose message is in somebody's hands changes nothing about it.
    store.advance_signal(step(3, SignalState::Quiet, 0.0), of_transition).await.unwrap();
    assert_eq!(claim(&store, "b", moment(4)).await, []);
}

async fn of_many_claimers_one_gets_each_message(place: Place) {
    let store = place.open().await;
    // Messages about one signal on one channel wait for one another: each day has channels of its own.
    for day in 1..=10 {
        let drafts = move |_: &Moved| vec![draft(&format!("slack {day}")), draft(&format!("email {day}"))];
        store.advance_signal(firing(day), drafts).await.unwrap();
    }
    let mut at_once = Vec::new();
    for claimer in 0..6 {
        let store = place.open().await;
        at_once.push(tokio::spawn(async move { claim(&store, &format!("claimer {claimer}"), moment(11)).await }));
    }
    let mut seen = BTreeSet::new();
    for claims in at_once {
        for claim in claims.await.unwrap() {
            assert!(seen.insert((claim.key.window_end, claim.key.channel.clone())), "{:?} was claimed twice", claim.key);
        }
    }
    assert_eq!(seen.len(), 20);
}

async fn a_message_that_was_not_delivered_is_due_again_when_the_lease_has_run_out(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    let now = moment(1);
    assert_eq!(claim(&store, "dies", now).await.len(), 1);
    drop(store);
    let next = place.open().await;
    assert_eq!(claim(&next, "next", now + TimeDelta::minutes(9)).await, []);
    let again = claim(&next, "next", now + TimeDelta::minutes(11)).await;
    assert_eq!((again.len(), again[0].attempt), (1, 2));
}

async fn a_delivered_message_never_comes_back(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    let claims = claim(&store, "a", moment(1)).await;
    store.mark_delivered(claims[0].clone(), moment(1)).await.unwrap();
    store.mark_delivered(claims[0].clone(), moment(1)).await.unwrap();
    store.mark_failed(claims[0].clone(), moment(1), "timeout".to_owned()).await.unwrap();
    open_with(&store, firing(1), &["slack"]).await;
    assert_eq!(claim(&place.open().await, "b", moment(30)).await, []);
}

async fn a_failed_message_is_due_at_its_next_attempt(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    let claims = claim(&store, "a", moment(1)).await;
    let next_attempt = moment(1) + TimeDelta::minutes(1);
    store.mark_failed(claims[0].clone(), next_attempt, "status 503".to_owned()).await.unwrap();
    assert_eq!(claim(&store, "b", next_attempt - TimeDelta::seconds(1)).await, []);
    let again = claim(&store, "b", next_attempt).await;
    assert_eq!((again.len(), again[0].attempt, &again[0].payload), (1, 2, &claims[0].payload));
}

async fn a_message_that_was_put_off_by_a_clock_that_was_wrong_is_due(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    // A run whose clock is a day ahead, and cannot deliver.
    let ahead = moment(2);
    let claims = claim(&store, "ahead", ahead).await;
    store.mark_failed(claims[0].clone(), ahead + TimeDelta::minutes(10), "status 503".to_owned()).await.unwrap();
    let now = moment(1) + TimeDelta::minutes(1);
    assert_eq!(claim(&store, "right", now).await.len(), 1);
    assert_eq!(claim(&store, "another", now).await, [], "and is in one claimer's hands");
}

async fn a_claim_that_has_run_out_cannot_take_the_message_from_the_next(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    let slow = claim(&store, "slow", moment(1)).await;
    let later = moment(1) + TimeDelta::minutes(11);
    let next = claim(&store, "next", later).await;
    // The slow one gives up now: the message stays with the next.
    store.mark_failed(slow[0].clone(), later, "timeout".to_owned()).await.unwrap();
    assert_eq!(claim(&store, "third", later + TimeDelta::minutes(1)).await, []);
    // The slow one was delivered after all: that is what counts.
    store.mark_delivered(slow[0].clone(), later).await.unwrap();
    store.mark_failed(next[0].clone(), later, "timeout".to_owned()).await.unwrap();
    assert_eq!(claim(&store, "third", moment(30)).await, []);
}

async fn messages_are_claimed_in_the_order_they_are_due_and_not_more_than_asked_for(place: Place) {
    let store = place.open().await;
    for day in [1, 2, 3] {
        store.advance_signal(firing(day), move |_| vec![draft(&format!("slack {day}"))]).await.unwrap();
    }
    let two = store.claim_due(ClaimRequest { limit: 2, ..request("a", moment(4)) }).await.unwrap();
    let days: Vec<_> = two.iter().map(|claim| claim.key.window_end.timestamp()).collect();
    assert_eq!(days, [moment(1).timestamp(), moment(2).timestamp()]);
    assert_eq!(claim(&store, "b", moment(4)).await.len(), 1);
}

async fn an_expired_message_is_not_sent(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    // A run of today over a window of long ago is kept as long as one of today.
    open_with(&store, Step { now: moment(60), name: SignalName::NoData, ..firing(1) }, &["email"]).await;
    let claims = claim(&store, "a", moment(92)).await;
    assert_eq!(claims.iter().map(|claim| claim.key.channel.as_str()).collect::<Vec<_>>(), ["email"]);
}

async fn a_claim_knows_how_the_attempt_before_it_ended(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    let now = moment(1);
    assert_eq!(claim(&store, "a", now).await[0].last_attempt, LastAttempt::None);
    let second = claim(&store, "b", now + TimeDelta::minutes(11)).await;
    assert_eq!(second[0].last_attempt, LastAttempt::NoReceipt);
    store.mark_failed(second[0].clone(), now + TimeDelta::minutes(12), "status 500".to_owned()).await.unwrap();
    let third = claim(&store, "c", now + TimeDelta::minutes(13)).await;
    assert_eq!(third[0].last_attempt, LastAttempt::Failed("status 500".to_owned()));
    assert_eq!(claim(&store, "d", now + TimeDelta::minutes(30)).await[0].last_attempt, LastAttempt::NoReceipt);
}

async fn a_message_in_shadow_is_kept_and_never_due_until_it_is_to_be_sent(place: Place) {
    let store = place.open().await;
    let in_mode = |telling| {
        let mut step = firing(1);
        step.rules.telling = telling;
        step
    };
    let in_shadow = |_: &Moved| vec![Draft { is_shadow: true, ..draft("slack") }];
    store.advance_signal(in_mode(Telling::Shadow), in_shadow).await.unwrap();
    assert_eq!(claim(&store, "a", moment(2)).await, []);
    let about = || store.messages_about(series(), moment(1));
    assert_eq!(about().await.unwrap()[0].status, DeliveryStatus::Shadowed);
    assert_eq!(store.undelivered(scope(), moment(2)).await.unwrap(), []);
    // The same window again, now to be sent.
    open_with(&store, in_mode(Telling::Send), &["slack"]).await;
    assert_eq!(about().await.unwrap()[0].status, DeliveryStatus::Pending);
    assert_eq!(store.undelivered(scope(), moment(2)).await.unwrap().len(), 1);
    let claims = claim(&store, "a", moment(2)).await;
    store.mark_delivered(claims[0].clone(), moment(2)).await.unwrap();
    // And in shadow once more: what was delivered stays so.
    store.advance_signal(in_mode(Telling::Shadow), in_shadow).await.unwrap();
    assert_eq!(about().await.unwrap()[0].status, DeliveryStatus::Delivered);
}

async fn the_messages_of_a_window_are_told_as_they_stand(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack", "email"]).await;
    open_with(&store, firing(2), &["slack"]).await;
    let mut of_an_hour = firing(1);
    of_an_hour.series.length_s = 3_600;
    open_with(&store, of_an_hour, &["webhook"]).await;
    let email = claim(&store, "a", moment(1)).await.into_iter().find(|claim| claim.key.channel == "email").unwrap();
    store.mark_delivered(email, moment(1)).await.unwrap();
    let mut found = store.messages_about(series(), moment(1)).await.unwrap();
    found.sort_by(|a, b| a.channel.cmp(&b.channel));
    let told: Vec<_> = found.iter().map(|message| (message.channel.as_str(), message.transition, message.status)).collect();
    assert_eq!(
        told,
        [("email", Transition::Opened, DeliveryStatus::Delivered), ("slack", Transition::Opened, DeliveryStatus::Pending)]
    );
    assert_eq!(store.undelivered(scope(), moment(3)).await.unwrap().len(), 3, "claimed ones are not delivered either");
    assert_eq!(store.undelivered(scope(), moment(200)).await.unwrap(), [], "nobody waits for what has expired");
}

async fn a_preview_answers_and_changes_nothing(place: Place) {
    let store = place.open().await;
    for _ in 0..2 {
        let moved = store.preview_signal(firing(1)).await.unwrap();
        assert_eq!((moved.transition, moved.tells), (Transition::Opened, Some(Telling::Send)));
    }
    assert_eq!(advance(&store, firing(1)).await, Transition::Opened);
    let moved = store.preview_signal(step(2, SignalState::Quiet, 0.0)).await.unwrap();
    assert_eq!((moved.transition, moved.since.map(|since| since.timestamp())), (Transition::Resolved, Some(moment(1).timestamp())));
    assert_eq!(advance(&store, firing(2)).await, Transition::Ongoing);
}

async fn a_window_that_has_not_ended_yet_does_not_make_the_next_ones_old(place: Place) {
    let store = place.open().await;
    // A clock that was a year ahead.
    assert_eq!(advance(&store, firing(365)).await, Transition::Opened);
    assert_eq!(advance(&store, firing(1)).await, Transition::Ongoing);
    assert_eq!(advance(&store, step(2, SignalState::Quiet, 0.0)).await, Transition::Resolved);
}

async fn silences_are_on_record_and_the_newest_comes_first(place: Place) {
    let store = place.open().await;
    let silence = |signal, day, until, reason: &str| Silence {
        scope: scope(),
        signal,
        created_at: drift_check::store::to_micros(moment(day)),
        until: drift_check::store::to_micros(moment(until)),
        reason: reason.to_owned(),
    };
    assert_eq!(store.silences(scope()).await.unwrap(), []);
    let first = silence(SignalName::DataDrift, 1, 3, "a new scanner; see <ticket> \"7\"");
    let second = silence(SignalName::NoData, 2, 4, "maintenance");
    // It is taken back by one that ends when it begins.
    let third = silence(SignalName::DataDrift, 3, 3, "it is over");
    for silence in [&first, &second, &third, &third] {
        store.silence(silence.clone()).await.unwrap();
    }
    assert_eq!(place.open().await.silences(scope()).await.unwrap(), [third, second, first]);
    let other = Scope { job: "other".to_owned(), ..scope() };
    assert_eq!(store.silences(other).await.unwrap(), []);
}

async fn a_message_waits_for_the_earlier_ones_about_its_signal_on_its_channel(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack", "email"]).await;
    open_with(&store, step(2, SignalState::Quiet, 0.0), &["slack", "email"]).await;
    let opened = claim(&store, "a", moment(2)).await;
    let transitions: Vec<_> = opened.iter().map(|claim| claim.key.transition).collect();
    assert_eq!(transitions, [Transition::Opened, Transition::Opened]);
    let on = |channel: &str| opened.iter().find(|claim| claim.key.channel == channel).unwrap().clone();
    store.mark_delivered(on("slack"), moment(2)).await.unwrap();
    // Not due yet, and in nobody's hands: the resolution waits all the same.
    store.mark_failed(on("email"), moment(3) + TimeDelta::minutes(10), "timeout".to_owned()).await.unwrap();
    let next = claim(&store, "b", moment(3)).await;
    assert_eq!(next.len(), 1);
    assert_eq!((next[0].key.channel.as_str(), next[0].key.transition), ("slack", Transition::Resolved));
    // An earlier one that has expired holds nothing up.
    assert_eq!(
        claim(&store, "c", moment(91) + TimeDelta::hours(12)).await.iter().map(|c| c.key.transition).collect::<Vec<_>>(),
        [Transition::Resolved; 2]
    );
}

async fn a_window_that_reads_otherwise_moves_the_signal_on_from_where_it_is(place: Place) {
    let store = place.open().await;
    let quiet = || step(1, SignalState::Quiet, 0.0);
    for (step, expected) in [
        (firing(1), Transition::Opened),
        (firing(1), Transition::Opened),
        (quiet(), Transition::Resolved),
        (quiet(), Transition::Resolved),
        (firing(1), Transition::Opened),
    ] {
        assert_eq!(open_with(&store, step, &["slack"]).await, expected);
    }
    // Three messages about one window, one after the other.
    let mut told = Vec::new();
    for _ in 0..3 {
        let claims = claim(&store, "a", moment(2)).await;
        assert_eq!(claims.len(), 1);
        told.push((claims[0].key.revision, claims[0].key.transition));
        store.mark_delivered(claims[0].clone(), moment(2)).await.unwrap();
    }
    assert_eq!(told, [(0, Transition::Opened), (1, Transition::Resolved), (2, Transition::Opened)]);
    assert_eq!(claim(&store, "a", moment(2)).await, []);
}

async fn an_abandoned_message_is_kept_and_holds_nothing_up(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    open_with(&store, step(2, SignalState::Quiet, 0.0), &["slack"]).await;
    let claims = claim(&store, "a", moment(2)).await;
    store.abandon(claims[0].clone(), "not configured".to_owned()).await.unwrap();
    assert_eq!(store.messages_about(series(), moment(1)).await.unwrap()[0].status, DeliveryStatus::Abandoned);
    // The same window again brings it not back, and what came after it is due.
    open_with(&store, firing(1), &["slack"]).await;
    let next = claim(&store, "a", moment(2)).await;
    assert_eq!(next.iter().map(|claim| claim.key.transition).collect::<Vec<_>>(), [Transition::Resolved]);
}

async fn messages_of_silenced_signals_are_not_claimed(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack"]).await;
    open_with(&store, Step { name: SignalName::NoData, ..firing(1) }, &["slack"]).await;
    let except = vec![SignalName::DataDrift];
    let claims = store.claim_due(ClaimRequest { except, ..request("a", moment(2)) }).await.unwrap();
    assert_eq!(claims.iter().map(|claim| claim.key.signal).collect::<Vec<_>>(), [SignalName::NoData]);
    assert_eq!(claim(&store, "a", moment(2)).await.len(), 1);
}

async fn a_run_comes_back_whole(place: Place) {
    let mut record = run("r", 1);
    record.report_uri = "gs://b/reports/<\"x\">/report.html".to_owned();
    let past = |state, value, transition| PastSignal { mode: SignalMode::Shadow, state, value, threshold: Some(0.3), transition };
    record.signals.insert(SignalName::DataDrift, past(SignalState::Firing, Some(0.375), Some(Transition::Opened)));
    record.signals.insert(SignalName::Accuracy, past(SignalState::Inconclusive, None, None));
    for moment in [&mut record.started_at, &mut record.finished_at] {
        *moment = to_micros(*moment);
    }
    place.open().await.record_run(record.clone()).await.unwrap();
    assert_eq!(place.open().await.runs(series(), moment(9), 9).await.unwrap(), [record]);
}

async fn labels_are_on_record_until_they_are_taken_back(place: Place) {
    let store = place.open().await;
    let label = |truth, from, to, feature: Option<&str>| LabelRecord {
        scope: scope(),
        label: Label { truth, from: to_micros(moment(from)), to: to_micros(moment(to)), feature: feature.map(Into::into) },
        created_at: to_micros(moment(9)),
        reason: "a new scanner; see <ticket> \"7\"".to_owned(),
    };
    assert_eq!(store.labels(scope()).await.unwrap(), []);
    let (whole, feature) = (label(Truth::Drift, 2, 4, None), label(Truth::NoDrift, 2, 4, Some("shape/1 ~ä")));
    let early = label(Truth::NoDrift, 1, 2, None);
    for record in [&whole, &feature, &early, &early] {
        store.label(record.clone()).await.unwrap();
    }
    assert_eq!(place.open().await.labels(scope()).await.unwrap(), [early.clone(), whole.clone(), feature.clone()]);
    let other = Scope { environment: "other".to_owned(), ..scope() };
    assert_eq!(store.labels(other.clone()).await.unwrap(), []);
    store.unlabel(other, whole.label.clone()).await.unwrap();
    store.unlabel(scope(), whole.label.clone()).await.unwrap();
    store.unlabel(scope(), whole.label.clone()).await.unwrap();
    assert_eq!(place.open().await.labels(scope()).await.unwrap(), [early, feature]);
}

async fn promotions_are_on_record_and_the_newest_comes_first(place: Place) {
    let store = place.open().await;
    let promotion = |signal, day, reason: &str| Promotion {
        scope: scope(),
        signal,
        created_at: to_micros(moment(day)),
        refusal: "12 of 149 windows".to_owned(),
        reason: reason.to_owned(),
    };
    let (first, second) = (promotion(SignalName::Accuracy, 1, "we know better"), promotion(SignalName::Storage, 2, "\u{1f4c8}"));
    for promotion in [&first, &second, &first] {
        store.promote(promotion.clone()).await.unwrap();
    }
    assert_eq!(place.open().await.promotions(scope()).await.unwrap(), [second, first]);
    assert_eq!(store.promotions(Scope { job: "other".to_owned(), ..scope() }).await.unwrap(), []);
}

async fn signals_are_told_as_they_stand(place: Place) {
    let store = place.open().await;
    assert_eq!(store.signals(series(), moment(1)).await.unwrap(), []);
    open_with(&store, Step { name: SignalName::NoData, ..firing(1) }, &["slack"]).await;
    open_with(&store, firing(1), &["slack"]).await;
    open_with(&store, step(2, SignalState::Inconclusive, 0.1), &["slack"]).await;
    let found = place.open().await.signals(series(), moment(3)).await.unwrap();
    let told: Vec<_> = found.iter().map(|signal| (signal.name, signal.window_end.timestamp_micros(), signal.state)).collect();
    let end = |day| moment(day).timestamp_micros();
    assert_eq!(
        told,
        [(SignalName::DataDrift, end(2), SignalState::Inconclusive), (SignalName::NoData, end(1), SignalState::Firing)]
    );
    let open = found[0].memory.as_ref().and_then(|memory| memory.open()).unwrap();
    assert_eq!((open.since.timestamp_micros(), open.worst), (end(1), Some(0.4)));
    assert_eq!(open.told.as_ref().map(|told| told.at.timestamp_micros()), Some(end(2)), "an hour is over");
    let of_an_hour = Series { length_s: 3_600, ..series() };
    assert_eq!(store.signals(of_an_hour, moment(3)).await.unwrap(), []);
    assert_eq!(store.signals(series(), moment(200)).await.unwrap(), [], "what has expired is forgotten");
}

async fn messages_are_told_with_their_course(place: Place) {
    let store = place.open().await;
    open_with(&store, firing(1), &["slack", "email"]).await;
    open_with(&store, firing(3), &["webhook"]).await;
    let claims = claim(&store, "a", moment(3)).await;
    let on = |channel: &str| claims.iter().find(|claim| claim.key.channel == channel).unwrap().clone();
    store.mark_delivered(on("slack"), moment(3)).await.unwrap();
    store.mark_failed(on("email"), moment(4), "status 503".to_owned()).await.unwrap();
    store.abandon(on("webhook"), "not configured".to_owned()).await.unwrap();
    let mut found = place.open().await.messages(scope(), 9).await.unwrap();
    assert_eq!(found[0].key.channel, "webhook", "the newest first");
    found.sort_by(|a, b| a.key.channel.cmp(&b.key.channel));
    let told: Vec<_> = found
        .iter()
        .map(|message| {
            let delivered = message.delivered_at.map(|at| at.timestamp());
            (message.key.channel.as_str(), message.status, message.attempts, delivered, message.error_kind.as_str())
        })
        .collect();
    let expected = [
        ("email", DeliveryStatus::Pending, 1, None, "status 503"),
        ("slack", DeliveryStatus::Delivered, 1, Some(moment(3).timestamp()), ""),
        ("webhook", DeliveryStatus::Abandoned, 1, None, "abandoned: not configured"),
    ];
    assert_eq!(told, expected);
    assert_eq!(store.messages(scope(), 1).await.unwrap().len(), 1);
    assert_eq!(store.messages(Scope { job: "other".to_owned(), ..scope() }, 9).await.unwrap(), []);
}
