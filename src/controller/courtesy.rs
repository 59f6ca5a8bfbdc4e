//! Step 3, continued: the way to the API server, and how it asks to wait. Touches the cluster and
//! the clock.
//!
//! An API server that is busy answers 429, or 503, with a Retry-After (RFC 9110 section 10.2.3;
//! `dropped_requests_tracker.go` of `k8s.io/apiserver/pkg/util/flowcontrol` says up to 8 s). Until
//! that has passed no write is sent by this client at all: each target by itself would ask it
//! again every second. Reads are sent: the watches pause by themselves.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use thiserror::Error;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

/// However long the API server asks for, a release is tried again after this.
const LONGEST: Duration = Duration::from_secs(30);

/// A client that does not repeat a call blindly: one that fails is planned anew from what is there
/// then. And one that waits when it is asked to.
pub(crate) fn client(mut config: kube::Config) -> kube::Result<Client> {
    config.default_retry = false;
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder.with_layer(&Courtesy).build())
}

/// A write that was not sent.
#[derive(Debug, Error)]
#[error("the API server is busy, and asked not to be written to for another {} s", .0.as_secs() + 1)]
pub(crate) struct Busy(Duration);

/// Makes services [`Courteous`].
struct Courtesy;

impl<S> Layer<S> for Courtesy {
    type Service = Courteous<S>;

    fn layer(&self, inner: S) -> Courteous<S> {
        let until = Arc::default();
        Courteous { inner, until }
    }
}

/// Sends no write before the API server wants one again.
struct Courteous<S> {
    inner: S,
    until: Arc<Mutex<Option<Instant>>>,
}

impl<S, B> Service<Request<Body>> for Courteous<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let left = self.until().saturating_duration_since(Instant::now());
        let writes = request.method() != Method::GET;
        if writes && !left.is_zero() {
            return Box::pin(ready(Err(Busy(left).into())));
        }
        let until = Arc::clone(&self.until);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await.map_err(Into::into)?;
            // A list that is refused says nothing about writes.
            if let Some(pause) = asked_for(&answer).filter(|_| writes) {
                let mut until = until.lock().unwrap_or_else(PoisonError::into_inner);
                *until = Some(Instant::now() + pause.min(LONGEST));
            }
            Ok(answer)
        })
    }
}

impl<S> Courteous<S> {
    fn until(&self) -> Instant {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.unwrap_or_else(Instant::now)
    }
}

/// How long the API server asks to be left alone. (It writes seconds, and never a date.)
fn asked_for<B>(answer: &Response<B>) -> Option<Duration> {
    let busy = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    busy.contains(&answer.status())
        .then(|| seconds.parse().ok().map(Duration::from_secs))?
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use tower::service_fn;

    /// An API server that is busy, and counts who comes.
    async fn ask(
        service: &mut impl Service<Request<Body>, Response = Response<()>, Error = BoxError>,
        method: Method,
    ) -> Result<StatusCode, String> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        let answer = service.call(request).await;
        answer
            .map(|answer| answer.status())
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn no_write_is_sent_before_the_time_that_the_api_server_asked_for() {
        let come = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&come);
        let server = service_fn(move |_: Request<Body>| {
            *seen.lock().unwrap() += 1;
            let answer = Response::builder().status(429).header(RETRY_AFTER, "1");
            ready(Ok::<_, Infallible>(answer.body(()).unwrap()))
        });
        let mut service = Courtesy.layer(server);
        assert_eq!(
            ask(&mut service, Method::PATCH).await,
            Ok(StatusCode::TOO_MANY_REQUESTS)
        );
        for _ in 0..5 {
            let refused = ask(&mut service, Method::PATCH).await.unwrap_err();
            assert!(refused.contains("for another"), "{refused}");
        }
        assert_eq!(*come.lock().unwrap(), 1);
        ask(&mut service, Method::GET).await.unwrap();
        assert_eq!(*come.lock().unwrap(), 2, "a read is sent");
        tokio::time::sleep(Duration::from_secs(1)).await;
        ask(&mut service, Method::PATCH).await.unwrap();
        assert_eq!(*come.lock().unwrap(), 3);
    }

    #[test]
    fn only_a_busy_api_server_is_waited_for() {
        let asked = |status: u16, after: &str| {
            let answer = Response::builder()
                .status(status)
                .header(RETRY_AFTER, after);
            asked_for(&answer.body(()).unwrap())
        };
        assert_eq!(asked(503, "2"), Some(Duration::from_secs(2)));
        assert_eq!(asked(409, "2"), None);
        assert_eq!(asked(429, "tomorrow"), None);
        assert_eq!(asked_for(&Response::new(())), None);
    }
}
