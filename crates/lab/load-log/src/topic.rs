//! The topic of a run.

use anyhow::Context;
use api::takhin::CreateTopicRequest;
use api::takhin::takhin_service_client::TakhinServiceClient;
use service_client::ClientChannel;

use crate::plan::LogPlan;

/// Makes the topic, where the run has one.
pub(super) async fn make(plan: &LogPlan, channel: ClientChannel) -> anyhow::Result<()> {
    let Some(partitions) = plan.partitions() else {
        return Ok(());
    };
    let request = CreateTopicRequest {
        name: plan.name(),
        num_partitions: i32::try_from(partitions)?,
        ..CreateTopicRequest::default()
    };
    let created = TakhinServiceClient::new(channel)
        .create_topic(request)
        .await
        .context("cannot make the topic")?
        .into_inner();
    anyhow::ensure!(created.success, "cannot make the topic: {}", created.error);
    Ok(())
}
