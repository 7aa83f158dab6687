//! What the calls of both faces need, and what of topics and groups a caller may see. Names are checked by the handlers, before
//! it is known whether what they name exists.

use protect::access::{Call, Demand, segments};
use protect::{Caller, Refusal, Verb};
use topics::GroupInfo;

/// Who has one of these for a topic may know that it exists.
const SEE_TOPIC: [Verb; 3] = [Verb::TopicsConsume, Verb::TopicsProduce, Verb::TopicsAdmin];

/// What a call needs.
pub(crate) fn demand(call: Call<'_>) -> Demand {
    match call {
        Call::Rest { method, path } => {
            let segments: Vec<&str> = segments(path).collect();
            rest(method, &segments)
        }
        Call::Grpc { path } => path
            .strip_prefix("/takhin.v1.TakhinService/")
            .and_then(topics)
            .or_else(|| chains(path.strip_prefix("/immutablelog.ImmutableLogService/")?))
            .unwrap_or(Demand::OTHER),
    }
}

fn rest(method: &str, segments: &[&str]) -> Demand {
    match (method, segments) {
        ("POST", ["topics"]) | ("DELETE", ["topics", _]) => Demand::right(Verb::TopicsAdmin),
        (_, ["topics"] | ["topics", _]) => Demand::any_right(&SEE_TOPIC),
        (_, ["topics", _, "records"]) => Demand::right(Verb::TopicsProduce).uncounted(),
        (_, ["topics", _, "partitions", _, "records"]) => Demand::right(Verb::TopicsConsume),
        (_, ["groups"] | ["groups", _] | ["groups", _, "offsets"]) => {
            Demand::right(Verb::GroupsUse)
        }
        ("POST", ["logs", _]) => Demand::right(Verb::ChainsAppend),
        (_, ["logs", _, "tail"]) => Demand::right(Verb::ChainsRead).streaming(),
        (_, ["logs"] | ["logs", _] | ["logs", _, "last" | "verify"]) => {
            Demand::right(Verb::ChainsRead)
        }
        _ => Demand::OTHER,
    }
}

fn topics(method: &str) -> Option<Demand> {
    Some(match method {
        "HealthCheck" => Demand::HEALTH,
        "CreateTopic" | "DeleteTopic" => Demand::right(Verb::TopicsAdmin),
        "ListTopics" | "GetTopic" | "DescribeTopics" => Demand::any_right(&SEE_TOPIC),
        "GetPartitionOffsets" => Demand::any_right(&SEE_TOPIC),
        "ProduceMessage" => Demand::right(Verb::TopicsProduce),
        "ProduceMessageStream" => Demand::right(Verb::TopicsProduce).uncounted().streaming(),
        "ConsumeMessages" => Demand::right(Verb::TopicsConsume).streaming(),
        "CommitOffset" | "ListConsumerGroups" | "DescribeConsumerGroup" | "DeleteConsumerGroup" => {
            Demand::right(Verb::GroupsUse)
        }
        _ => return None,
    })
}

fn chains(method: &str) -> Option<Demand> {
    Some(match method {
        "Append" => Demand::right(Verb::ChainsAppend),
        "Read" | "Verify" | "ListPartitions" | "GetLastEntry" => Demand::right(Verb::ChainsRead),
        "Tail" => Demand::right(Verb::ChainsRead).streaming(),
        _ => return None,
    })
}

/// Whether the caller may know that a topic exists.
///
/// # Errors
/// It may not.
pub(crate) fn see_topic(caller: &Caller, topic: &str) -> Result<(), Refusal> {
    caller.check_any(&SEE_TOPIC, topic)
}

/// Of `topics`, those that the caller may know.
pub(crate) fn seen_topics(caller: &Caller, mut topics: Vec<String>) -> Vec<String> {
    if !caller.is_unrestricted() {
        topics.retain(|topic| see_topic(caller, topic).is_ok());
    }
    topics
}

/// Of `names`, those that the caller may use with `verb`.
pub(crate) fn seen(caller: &Caller, verb: Verb, mut names: Vec<String>) -> Vec<String> {
    if !caller.is_unrestricted() {
        names.retain(|name| caller.may(verb, name));
    }
    names
}

/// Of `groups`, those that the caller may use.
pub(crate) fn seen_groups(caller: &Caller, mut groups: Vec<GroupInfo>) -> Vec<GroupInfo> {
    if !caller.is_unrestricted() {
        groups.retain(|group| caller.may(Verb::GroupsUse, &group.id));
    }
    groups
}

/// A group without the topics that the caller may not know.
pub(crate) fn seen_group(caller: &Caller, mut group: GroupInfo) -> GroupInfo {
    if !caller.is_unrestricted() {
        let seen = |topic: &str| see_topic(caller, topic).is_ok();
        group.members.retain_mut(|member| {
            member.assignments.retain(|topic, _| seen(topic));
            !member.assignments.is_empty()
        });
        group.offsets.retain(|(topic, _), _| seen(topic));
    }
    group
}

/// Whether the caller may commit offsets of these topics for a group.
///
/// # Errors
/// The first right that is missing.
pub(crate) fn commit<'a>(
    caller: &Caller,
    group: &str,
    topics: impl IntoIterator<Item = &'a str>,
) -> Result<(), Refusal> {
    caller.check(Verb::GroupsUse, group)?;
    let mut topics = topics.into_iter();
    topics.try_for_each(|topic| caller.check(Verb::TopicsConsume, topic))
}
