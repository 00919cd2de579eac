//! An S3 server for tests, on a free port: s3s over a folder, with conditional writes that are atomic, and with faults as a test
//! wants them. It runs on a thread of its own, so that a test may block.

#![allow(dead_code, reason = "shared by tests that each use a part of it, and by an example")]

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, BodyStream, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput, CompleteMultipartUploadOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, ListObjectsV2Input, ListObjectsV2Output, MultipartUpload, PutObjectInput,
    PutObjectOutput, UploadPartInput, UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::oneshot;

/// The only bucket.
pub const BUCKET: &str = "team";
/// Who may use it.
pub const ACCESS_KEY: &str = "AKRHAVENTESTS";
pub const SECRET_KEY: &str = "swordfish-secret-key";
pub const REGION: &str = "us-east-1";

/// What is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    Put,
    Get,
    Head,
    List,
    Delete,
    DeleteMany,
    Create,
    Part,
    Complete,
    Abort,
    Uploads,
}

impl Operation {
    fn of<B>(request: &Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        match *request.method() {
            Method::PUT if has("partNumber") => Self::Part,
            Method::PUT => Self::Put,
            Method::POST if has("uploads") => Self::Create,
            Method::POST if has("uploadId") => Self::Complete,
            Method::POST => Self::DeleteMany,
            Method::DELETE if has("uploadId") => Self::Abort,
            Method::DELETE => Self::Delete,
            Method::HEAD => Self::Head,
            _ if has("uploads") => Self::Uploads,
            _ if has("list-type") => Self::List,
            _ => Self::Get,
        }
    }
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// It is not done, and answered so: a status and S3's word for it.
    Answer(u16, &'static str),
    /// It is done, and no answer ever comes.
    Silence,
    /// It is done, and the connection is cut before the answer.
    CutAnswer,
    /// The connection is cut after so many bytes of the request's body.
    CutRequest(usize),
    /// It is done, and the connection is cut after so many bytes of the answer's body.
    CutBody(usize),
}

/// What is wrong with the server, and what it was asked.
#[derive(Default)]
struct Wire {
    faults: Mutex<Vec<(Operation, Fault, usize)>>,
    asked: Mutex<BTreeMap<Operation, usize>>,
}

impl Wire {
    /// The fault of this request.
    fn next(&self, operation: Operation) -> Option<Fault> {
        *self.asked.lock().unwrap().entry(operation).or_default() += 1;
        let mut faults = self.faults.lock().unwrap();
        let (_, fault, times) = faults.iter_mut().find(|(of, _, times)| *of == operation && *times > 0)?;
        *times -= 1;
        Some(*fault)
    }
}

/// A running server; ends when it is dropped.
pub struct S3Server {
    pub address: SocketAddr,
    wire: Arc<Wire>,
    bucket: Arc<Guarded>,
    folder: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Removed last.
    temporary: Option<tempfile::TempDir>,
}

impl S3Server {
    /// One with an empty bucket, whose objects go with it.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::over(folder.path(), 0);
        server.temporary = Some(folder);
        server
    }

    /// One over a folder that stays; port 0 is any that is free.
    pub fn over(folder: &Path, port: u16) -> Self {
        std::fs::create_dir_all(folder.join(BUCKET)).unwrap();
        let files = FileSystem::new(folder).unwrap();
        let bucket = Arc::new(Guarded { files, keys: Mutex::default(), uploads: Mutex::default(), lax: false.into() });
        let mut service = S3ServiceBuilder::new(Shared(bucket.clone()));
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let (service, wire) = (service.build(), Arc::new(Wire::default()));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let wires = wire.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let accepting = accept(listener, service, wires);
            runtime.block_on(async move {
                tokio::select! { () = accepting => {}, _ = stopped => {} }
            });
            // Requests that never end are of no interest any more.
            runtime.shutdown_background();
        });
        let (stop, thread) = (Some(stop), Some(thread));
        Self { address, wire, bucket, folder: folder.to_owned(), stop, thread, temporary: None }
    }

    /// Where it is, as `--blobs` takes it.
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}?endpoint=http://{}&region={REGION}", self.address)
    }

    /// The next `times` requests of a kind go wrong.
    pub fn fail(&self, operation: Operation, fault: Fault, times: usize) {
        self.wire.faults.lock().unwrap().push((operation, fault, times));
    }

    /// All faults that have not come about are taken back.
    pub fn heal(&self) {
        self.wire.faults.lock().unwrap().clear();
    }

    /// From now on conditions are ignored.
    pub fn ignore_conditions(&self) {
        self.bucket.lax.store(true, Ordering::SeqCst);
    }

    /// How often it was asked.
    pub fn asked(&self, operation: Operation) -> usize {
        self.wire.asked.lock().unwrap().get(&operation).copied().unwrap_or_default()
    }

    /// Uploads in parts that are neither complete nor aborted.
    pub fn open_uploads(&self) -> usize {
        self.bucket.uploads.lock().unwrap().len()
    }

    /// The keys of all objects, in order.
    pub fn keys(&self) -> Vec<String> {
        let top = self.folder.join(BUCKET);
        let mut keys: Vec<_> =
            files(&top).iter().map(|path| path.strip_prefix(&top).unwrap().to_string_lossy().into_owned()).collect();
        keys.sort();
        keys
    }

    /// An object that is there without having been put.
    pub fn plant(&self, key: &str, bytes: &[u8]) {
        let path = self.folder.join(BUCKET).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// What an object holds.
    pub fn object(&self, key: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(BUCKET).join(key)).unwrap()
    }

    /// Takes an object away.
    pub fn remove(&self, key: &str) {
        std::fs::remove_file(self.folder.join(BUCKET).join(key)).unwrap();
    }

    /// Makes an object as old as that.
    pub fn age(&self, key: &str, age: std::time::Duration) {
        let file = std::fs::File::options().write(true).open(self.folder.join(BUCKET).join(key)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

async fn accept(listener: std::net::TcpListener, service: S3Service, wire: Arc<Wire>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let (service, wire) = (service.clone(), wire.clone());
        let answering = hyper::service::service_fn(move |request| answer(request, service.clone(), wire.clone()));
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), answering).await;
        });
    }
}

type Cut = Box<dyn std::error::Error + Send + Sync>;

/// An error closes the connection without an answer.
async fn answer(request: Request<Incoming>, service: S3Service, wire: Arc<Wire>) -> Result<Response<Body>, Cut> {
    let fault = wire.next(Operation::of(&request));
    match fault {
        Some(Fault::Answer(status, code)) => {
            // Read to its end, so that the client sees the answer and no cut connection.
            let _ = request.into_body().collect().await;
            let text =
                format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>made to fail</Message></Error>");
            let body = Body::from(text);
            return Ok(Response::builder().status(StatusCode::from_u16(status).unwrap()).body(body).unwrap());
        }
        Some(Fault::CutRequest(after)) => {
            let (mut body, mut read) = (request.into_body(), 0);
            while read <= after {
                let Some(Ok(frame)) = body.frame().await else { break };
                read += frame.data_ref().map_or(0, Bytes::len);
            }
            return Err("cut".into());
        }
        _ => {}
    }
    let answer = service.call(request.map(Body::from)).await.map_err(|error| format!("{error:?}"))?;
    match fault {
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::CutAnswer) => Err("cut".into()),
        Some(Fault::CutBody(after)) => Ok(answer.map(|body| cut(body, after))),
        _ => Ok(answer),
    }
}

/// Its first bytes, then an error, at which the connection is closed.
fn cut(body: Body, after: usize) -> Body {
    let frames = BodyStream::new(body).scan(Some(after), |left, frame| {
        let next = left.map(|room| {
            let data: Bytes = frame.ok().and_then(|frame| frame.into_data().ok()).unwrap_or_default();
            let data = data.slice(..data.len().min(room));
            *left = (room > data.len()).then(|| room - data.len());
            Ok::<_, Cut>(Frame::data(data))
        });
        std::future::ready(next)
    });
    let end = stream::iter([Err::<Frame<Bytes>, Cut>("cut".into())]);
    Body::http_body_unsync(StreamBody::new(frames.chain(end)))
}

/// Files, with conditional writes that are atomic: one write of a key at a time.
struct Guarded {
    files: FileSystem,
    keys: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// By id, with their keys and when they began.
    uploads: Mutex<BTreeMap<String, (String, SystemTime)>>,
    /// Whether conditions are ignored.
    lax: AtomicBool,
}

impl Guarded {
    fn turn(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        self.keys.lock().unwrap().entry(key.to_owned()).or_default().clone()
    }

    fn known(&self, upload: &str) -> S3Result<()> {
        let known = self.uploads.lock().unwrap().contains_key(upload);
        if known { Ok(()) } else { Err(s3_error!(NoSuchUpload)) }
    }
}

struct Shared(Arc<Guarded>);

#[async_trait::async_trait]
impl S3 for Shared {
    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        if self.0.lax.load(Ordering::SeqCst) {
            request.input.if_none_match = None;
        }
        let turn = self.0.turn(&request.input.key);
        let _turn = turn.lock().await;
        self.0.files.put_object(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.0.files.get_object(request).await
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.0.files.head_object(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.0.files.list_objects_v2(request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.0.files.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.0.files.delete_objects(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let key = request.input.key.clone();
        let begun = self.0.files.create_multipart_upload(request).await?;
        let id = begun.output.upload_id.clone().unwrap();
        self.0.uploads.lock().unwrap().insert(id, (key, SystemTime::now()));
        Ok(begun)
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.0.known(&request.input.upload_id)?;
        self.0.files.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        mut request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        if self.0.lax.load(Ordering::SeqCst) {
            request.input.if_none_match = None;
        }
        let turn = self.0.turn(&request.input.key);
        let _turn = turn.lock().await;
        let id = request.input.upload_id.clone();
        self.0.known(&id)?;
        let done = self.0.files.complete_multipart_upload(request).await?;
        self.0.uploads.lock().unwrap().remove(&id);
        Ok(done)
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let id = request.input.upload_id.clone();
        self.0.known(&id)?;
        let done = self.0.files.abort_multipart_upload(request).await?;
        self.0.uploads.lock().unwrap().remove(&id);
        Ok(done)
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let prefix = request.input.prefix.unwrap_or_default();
        let uploads = self.0.uploads.lock().unwrap();
        let of_prefix = uploads.iter().filter(|(_, (key, _))| key.starts_with(&prefix));
        let listed = of_prefix.map(|(id, (key, begun))| MultipartUpload {
            key: Some(key.clone()),
            upload_id: Some(id.clone()),
            initiated: Some((*begun).into()),
            ..MultipartUpload::default()
        });
        let uploads = Some(listed.collect());
        Ok(S3Response::new(ListMultipartUploadsOutput { uploads, ..ListMultipartUploadsOutput::default() }))
    }
}
