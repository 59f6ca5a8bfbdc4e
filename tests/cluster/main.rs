//! The operator, tried on a real cluster that all of these tests share.
//!
//! | file | what it shows |
//! |---|---|
//! | `flips.rs` | a target is held and given back on time, and nobody gets anything else |
//! | `effect.rs` | a hold takes effect, however far the platform's controllers lag behind |
//! | `rehearsals.rs` | behind Envoy too, and what makes it so is no way around the maintenance |
//! | `loads.rs` | flips under load: neither new connections nor kept ones get anything else |
//! | `restore.rs` | a release waits for the app, and not for ever |
//! | `early_end.rs` | a window that ends early restores at once |
//! | `answers.rs` | what a window says about its answers is what a client gets |
//! | `edits.rs`, `routes.rs` | what a user writes while a target is held is kept |
//! | `interruptions.rs` | a controller that dies, a backend pod that is replaced |
//! | `crashes.rs` | a controller may die at any write of its work |
//! | `faults.rs` | an API server that answers wrongly, late, from the past or not at all |
//! | `denials.rs` | rights, room in a quota, a target or a namespace that are taken away |
//! | `absent.rs` | the Gateway API and our own definition may go and come back |
//! | `release_all.rs` | `entracte release --all` needs no operator |
//! | `schedules.rs` | cron, late starts, missed windows, exceptions, ends that move |
//! | `selection.rs` | targets by label, all of a kind, and routes held by their Services |
//! | `targets.rs` | what is missing, unfit, or covered twice |
//! | `ownership.rs` | the ownership of fields is given back |
//! | `gitops.rs` | what tools write in a window, and a tool that undoes a hold again and again |
//! | `flux.rs` | Flux is told to look away while a target is held |
//! | `policy.rs` | the admission policy that keeps a hold, and releases in spite of it |
//! | `policies.rs` | a policy that refuses a hold, a webhook that is down |
//! | `nastiest.rs`, `nastiest/` | the fifteen nastiest cases, and where each is shown |
//! | `warnings.rs` | what may keep clients from the answer is said before the start |
//! | `pages.rs` | the user's own page, its edits, and what becomes of one that cannot be shown |
//! | `refusals.rs`, `bad_input/` | what the API server and the controller do not take |
//! | `silence.rs` | a steady state makes no requests, nor does a change that concerns nobody |
//! | `rights.rs` | no right is missing or left over |
//!
//! The others are what these share: `bench.rs` and `scene.rs` (a cluster, an app), `objects.rs`,
//! `crowd.rs` (many targets at once), `tools.rs` and `twins.rs` (what tools write).
//!
//! Two at a time, each on a cluster of its own: they mostly wait. On one cluster they go one after
//! the other, since some of them kill the controller; and one that says `on_time` in its name has
//! the machine to itself. `-- --test-threads 1` makes one cluster do.

mod absent;
mod answers;
mod bad_input;
mod bench;
mod crashes;
mod crowd;
mod denials;
mod early_end;
mod edits;
mod effect;
mod faults;
mod flips;
mod flux;
mod gitops;
mod interruptions;
mod loads;
mod nastiest;
mod objects;
mod ownership;
mod pages;
mod policies;
mod policy;
mod refusals;
mod rehearsals;
mod release_all;
mod restore;
mod rights;
mod routes;
mod scene;
mod schedules;
mod selection;
mod silence;
mod targets;
mod tools;
mod twins;
mod warnings;

use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use entracte_testbed::crew::{Crew, Done, Orders};
use entracte_testbed::run_folder::RunFolder;
use libtest_mimic::{Arguments, Trial};

use crate::bench::Shared;
use crate::rights::Asked;

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How many clusters there are at once: the tests mostly wait, and a cluster takes some of a core.
const CLUSTERS: usize = 2;

fn main() -> ExitCode {
    entracte_testbed::main(|launcher| {
        let mut arguments = Arguments::from_args();
        if arguments.list {
            return libtest_mimic::run(&arguments, trials(None)).exit_code();
        }
        let clusters = *arguments.test_threads.get_or_insert(CLUSTERS);
        let launcher = launcher.with_operator_at(env!("CARGO_BIN_EXE_entracte"));
        launcher.run_crew(
            clusters,
            |run, orders| inside(&run, orders),
            move |crew| outside(&arguments, &crew),
        )
    })
}

/// Has the tests run by the crew.
fn outside(arguments: &Arguments, crew: &Arc<Crew>) -> ExitCode {
    libtest_mimic::run(arguments, trials(Some(crew))).exit_code()
}

fn trials(crew: Option<&Arc<Crew>>) -> Vec<Trial> {
    let beside = Arc::new(RwLock::new(()));
    let asked = Arc::new(Mutex::new(Asked::default()));
    let trial = |test: Test| {
        let (crew, beside, asked) = (crew.cloned(), Arc::clone(&beside), Arc::clone(&asked));
        Trial::test(test.name, move || {
            let crew = crew.ok_or("without a cluster they can only be listed")?;
            let alone = test.measures_milliseconds();
            let _alone = alone.then(|| beside.write());
            let _beside = (!alone).then(|| beside.read());
            let Done { printed, result } = crew.carry_out(test.name);
            if !printed.is_empty() {
                print!("{}:\n{printed}", test.name);
            }
            lock(&asked).extend(serde_json::from_str(&result?)?);
            Ok(())
        })
    };
    // Milliseconds are measured first: what hundreds of tests leave in a cluster takes some of them, from
    // the API server on.
    let (first, then): (Vec<_>, Vec<_>) = tests()
        .into_iter()
        .partition(|test| test.measures_milliseconds());
    let mut trials: Vec<Trial> = first.into_iter().chain(then).map(trial).collect();
    trials.push(Trial::test(RIGHTS, move || {
        // All others have begun before this one, and are over when this passes.
        let _all_are_over = beside.write();
        Ok(lock(&asked).is_what_is_granted()?)
    }));
    trials
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs on one cluster the tests that it is told to.
fn inside(run: &RunFolder, orders: Orders) -> ExitCode {
    match Shared::start(run) {
        Ok(shared) => orders.follow(|name| shared.run(name)),
        Err(error) => {
            eprintln!("the operator could not be put on a cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The last test, which is about all the others.
const RIGHTS: &str = "rights::the_controller_has_the_rights_it_uses_and_no_others";

/// One test.
#[derive(Clone, Copy)]
struct Test {
    name: &'static str,
    body: fn(&Shared) -> Result,
}

impl Test {
    /// Whether it has the machine to itself.
    fn measures_milliseconds(self) -> bool {
        self.name.contains("_on_time_")
    }
}

/// The tests in a file, by their names.
macro_rules! tests {
    ($($file:ident: $($test:ident),+;)+) => {
        vec![$($(Test {
            name: concat!(stringify!($file), "::", stringify!($test)),
            body: |shared| shared.on_the_bench(async |bench| $file::$test(bench).await),
        }),+),+]
    };
}

#[expect(clippy::too_many_lines, reason = "a table, with a line for each test")]
fn tests() -> Vec<Test> {
    tests! {
        flips:
            an_ingress_is_held_on_time_and_given_back_as_it_was,
            a_service_is_held_on_time_and_given_back_as_it_was,
            an_http_route_is_held_on_time_and_given_back_as_it_was;
        loads:
            fifty_flips_show_nobody_anything_but_the_app_and_the_page;
        effect:
            a_hold_takes_effect_while_the_platforms_controllers_stand_still,
            many_services_answer_from_the_backend_at_once,
            a_hold_that_the_platform_follows_costs_no_write_more,
            a_service_that_is_released_by_hand_while_it_is_emptied_is_served_again,
            an_emptied_slice_is_filled_again_by_the_platform,
            endpoints_of_somebody_else_are_left_and_named;
        rehearsals:
            routes_behind_contour_are_held_on_time_and_given_back_as_they_were,
            a_rehearsal_is_no_way_to_the_app,
            a_rehearsal_that_was_deleted_is_put_back_and_goes_with_its_target,
            where_nobody_knows_the_controller_the_status_says_so_once;
        restore:
            a_service_whose_app_is_not_ready_at_the_end_is_held_until_it_is,
            an_ingress_whose_app_is_not_ready_at_the_end_is_held_until_it_is,
            after_the_overrun_a_target_is_released_all_the_same,
            an_app_that_is_meant_to_stay_at_zero_keeps_nobody_waiting,
            a_restore_that_waits_for_nothing_keeps_a_healthy_app_whole,
            a_restore_that_waits_for_nothing_releases_an_app_that_is_not_ready,
            a_controller_killed_in_the_overrun_goes_on_when_it_is_back,
            a_controller_that_is_back_after_the_overrun_releases,
            deleting_a_window_in_its_overrun_releases_at_once,
            an_app_whose_pods_are_all_replaced_in_the_window_is_waited_for,
            an_origin_follows_the_selector_and_goes_with_its_service,
            an_origin_that_nobody_needs_is_swept_at_the_start;
        early_end:
            moving_the_end_restores_at_once,
            suspending_a_window_restores_at_once_and_resuming_it_holds_again,
            deleting_a_window_restores_at_once,
            a_window_may_be_deleted_in_any_way;
        edits:
            what_a_user_writes_to_a_held_ingress_is_kept,
            what_a_user_writes_to_a_held_service_is_kept;
        routes:
            what_a_user_writes_to_a_held_http_route_is_kept,
            a_mirror_gets_no_copies_in_the_window_and_a_redirect_stays;
        absent:
            the_gateway_api_may_go_and_come_back_while_a_window_is_on,
            without_our_definition_everything_is_released_and_readiness_says_why,
            windows_that_are_not_served_are_not_taken_for_gone;
        answers:
            retry_after_and_health_checks_are_as_the_window_has_them_and_follow_an_edit;
        interruptions:
            a_controller_killed_in_the_window_goes_on_when_it_is_back,
            a_controller_that_was_down_at_the_end_releases_when_it_is_back,
            a_backend_pod_is_replaced_in_the_window;
        crashes:
            a_controller_may_die_at_any_write_of_a_hold,
            a_controller_may_die_at_any_write_of_a_release,
            a_controller_may_die_at_any_write_when_another_window_takes_the_lead,
            a_controller_may_die_at_any_write_after_the_window_was_deleted;
        faults:
            a_conflict_at_any_write_is_planned_anew,
            an_error_at_any_write_is_tried_again,
            an_api_server_that_is_busy_at_any_write_is_asked_again_later,
            silence_at_any_write_is_waited_out,
            what_a_user_writes_survives_a_view_that_is_stale,
            a_restart_that_lists_an_older_state_writes_nothing_wrong,
            a_window_that_moved_unseen_moves_no_target,
            an_outage_over_a_flip_delays_it_and_no_more,
            a_busy_api_server_is_left_alone_for_as_long_as_it_asks;
        denials:
            a_right_taken_away_in_the_window_is_named_and_waited_for,
            a_quota_that_leaves_no_room_is_named_and_nothing_is_half_done,
            a_namespace_goes_with_what_is_held_in_it,
            nothing_waits_to_be_deleted_for_an_operator_that_is_gone,
            a_target_that_is_made_anew_in_the_window_is_held_anew;
        ownership:
            managed_fields_are_after_a_window_what_they_were_before,
            an_upgrade_meets_no_conflict_in_the_window_nor_after_it;
        gitops:
            what_a_tool_writes_in_the_window_is_held_within_a_second_and_stays,
            a_manager_that_undoes_a_hold_again_and_again_is_named_and_not_fought;
        flux:
            flux_looks_away_from_what_is_held_and_applies_what_came_meanwhile,
            what_the_user_has_told_flux_stays;
        policy:
            a_hold_stays_through_every_apply_and_no_tool_sees_a_difference,
            flux_need_not_look_away_where_the_policy_keeps_the_hold,
            a_person_releases_what_the_policy_keeps,
            everything_is_released_in_spite_of_the_policy;
        policies:
            a_hold_that_a_policy_refuses_is_named_and_leaves_nothing_behind,
            a_hold_that_fails_on_a_dead_webhook_is_named_and_leaves_nothing_behind,
            a_release_that_fails_when_the_window_is_gone_is_told_in_an_event;
        release_all:
            everything_is_released_without_the_operator,
            it_says_so_where_nothing_is_held;
        schedules:
            a_cron_window_starts_with_the_minute_and_comes_again,
            a_window_that_has_begun_is_entered_late,
            a_window_that_was_over_before_the_controller_was_back_changes_nothing,
            an_exception_over_the_start_ends_an_occurrence_and_leaves_the_next,
            an_end_that_moves_away_is_waited_for;
        targets:
            a_missing_target_is_held_when_it_appears,
            an_unfit_target_is_not_touched_and_the_status_says_why,
            what_will_not_be_held_is_named_before_the_start,
            a_target_that_becomes_fit_is_held,
            of_overlapping_windows_the_one_that_ends_last_answers,
            a_window_without_a_port_says_so;
        selection:
            the_set_of_a_selector_follows_labels_during_the_window,
            all_reaches_what_can_be_held_and_names_what_cannot,
            all_of_an_empty_namespace_is_ready,
            an_ingress_is_held_by_its_services_on_time_and_not_written,
            a_service_that_routes_share_is_held_for_all_and_the_status_says_so,
            what_is_held_follows_an_ingress_as_it_is_edited,
            an_ingress_that_argo_cd_tracks_is_held_by_its_services,
            a_change_of_the_way_reaches_the_app_at_no_moment,
            windows_reach_a_service_by_different_ways,
            an_ingress_whose_services_cannot_be_held_is_refused;
        nastiest:
            a_selector_that_a_user_takes_away_and_writes_again_lets_no_stale_endpoint_serve,
            several_ports_with_numbers_for_target_ports_answer_in_the_window_and_lead_home_after_it,
            a_web_socket_that_is_open_stays_with_the_app_is_warned_of_and_not_claimed_to_be_drained,
            of_windows_that_overlap_either_may_end_first_under_two_leaders,
            a_service_that_requires_both_families_is_held_for_the_clients_of_both,
            retry_after_survives_the_retries_and_the_outlier_detection_of_a_mesh,
            a_backup_from_mid_window_serves_in_a_new_cluster;
        warnings:
            what_may_keep_clients_from_the_answer_is_named_before_the_start;
        pages:
            a_window_shows_its_own_page_to_browsers_and_an_edit_within_seconds,
            a_page_that_cannot_be_shown_is_named_and_ours_is_shown,
            what_is_wrong_with_a_page_is_named_before_the_start,
            a_page_stays_while_nobody_can_read_it;
        refusals:
            what_breaks_the_schema_is_refused_with_a_sentence,
            what_the_schema_allows_is_taken,
            every_rule_of_the_schema_has_a_case,
            a_window_that_is_edited_into_a_mistake_says_what_to_write_and_nothing_is_held,
            an_object_that_nobody_can_read_stalls_nobody;
        silence:
            a_steady_state_makes_no_requests;
    }
}
