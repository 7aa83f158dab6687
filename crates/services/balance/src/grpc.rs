//! The gRPC face: `benchmark.BalanceService` and `benchmark.Health`. Decodes, calls [`Balances`], encodes.

use api::benchmark::balance_service_server::BalanceService;
use api::benchmark::health_check_response::ServingStatus;
use api::benchmark::health_server::Health;
use api::benchmark::{
    BalanceRequest, BalanceResponse, BatchBalanceRequest, BatchBalanceResponse, HealthCheckRequest,
    HealthCheckResponse,
};
use domain::{AccountId, AccountIds, Balance};
use runtime::grpc::Unary;
use runtime::protection::grpc_caller;
use runtime::status::Failure;
use tonic::{Request, Response, Status};

use crate::access;
use crate::error::BalanceError;
use crate::handle::Balances;

/// The services that this process offers beside the standard ones, by full name.
pub const SERVICES: [&str; 2] = ["benchmark.BalanceService", "benchmark.Health"];

/// Both services; clones share the handle.
#[derive(Clone, Debug)]
pub struct Face(Balances);

impl Face {
    /// Answers from `balances`.
    pub fn new(balances: Balances) -> Self {
        Self(balances)
    }
}

/// `GetBalance`, for [`Direct`](runtime::grpc::Direct).
#[derive(Clone, Debug)]
pub struct GetBalance(pub Face);

impl Unary for GetBalance {
    const PATH: &'static str = "/benchmark.BalanceService/GetBalance";
    type Request = BalanceRequest;
    type Response = BalanceResponse;

    async fn call(
        &self,
        request: Request<BalanceRequest>,
    ) -> Result<Response<BalanceResponse>, Status> {
        let Face(balances) = &self.0;
        let caller = grpc_caller(&request);
        let work = async {
            let id = AccountId::new(request.into_inner().account_id)?;
            access::check(&caller, [&id])?;
            balances.balance(id).await
        };
        let (id, balance) = balances.answer(work).await.map_err(status)?;
        Ok(Response::new(response(id, balance)))
    }
}

#[tonic::async_trait]
impl BalanceService for Face {
    async fn get_balance(
        &self,
        request: Request<BalanceRequest>,
    ) -> Result<Response<BalanceResponse>, Status> {
        GetBalance(self.clone()).call(request).await
    }

    async fn get_balances(
        &self,
        request: Request<BatchBalanceRequest>,
    ) -> Result<Response<BatchBalanceResponse>, Status> {
        let caller = grpc_caller(&request);
        let work = async {
            let ids = AccountIds::new(request.into_inner().account_ids)?;
            access::check(&caller, ids.as_slice())?;
            self.0.balances(ids).await
        };
        let found = self.0.answer(work).await.map_err(status)?;
        let balances = found
            .into_iter()
            .filter_map(|(id, balance)| Some(response(id, balance?)))
            .collect();
        Ok(Response::new(BatchBalanceResponse { balances }))
    }
}

#[tonic::async_trait]
impl Health for Face {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let status = if !service.is_empty() && !SERVICES.contains(&service.as_str()) {
            ServingStatus::Unknown
        } else if self.0.ping().await.is_ok() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        Ok(Response::new(HealthCheckResponse {
            status: status.into(),
        }))
    }
}

fn response(id: AccountId, balance: Balance) -> BalanceResponse {
    BalanceResponse {
        account_id: id.into_string(),
        balance_tinybar: balance.tinybar(),
        timestamp: balance.timestamp(),
    }
}

fn status(error: BalanceError) -> Status {
    Failure::from(error).into()
}
