//! Floor 3. The language: a bridge file as it is written.
//!
//! The types, their doc comments and their `schemars` attributes are the only description
//! of the format. The JSON Schema in `schemas/`, the structural check and the reference page
//! are made from them. Three keywords of our own carry what JSON Schema has no word for:
//!
//! - `x-not-yet`: the key is part of the format and this version refuses it by name.
//! - `x-exactly-one-of`, `x-at-most-one-of`: keys that exclude each other.
//! - `x-expected`: what to call the value when something else stands there.
//! - `x-secret`: a literal here is warned about.

mod ask;
mod body;
mod editor;
mod file;
mod output;
mod param;
mod prompt;
mod reply;
mod resource;
mod rest;
mod schema;
mod server;
mod source;
mod sql;
mod steps;
mod test;
mod tool;
mod units;

pub use ask::{Ask, AskField, FieldFormat, FieldItems, FieldOption, FieldSpec, FieldType, Inquiry, Roots, Sample};
pub use body::{Encoding, Graphql, LongPart, Part, TextBody};
pub use editor::{Holds, editor_schema};
pub use file::{File, Instructions};
pub use output::{Content, Convert, Field, Format, LongField, Output};
pub use param::{Choices, Like, MirrorHeader, Nested, Param, ParamSpec, ParamType, Type};
pub use prompt::{Prompt, PromptMessage, PromptRole};
pub use reply::{EmbeddedResource, Log, LogLevel, Media, ProgressNote, Reply, ReplyItem, ResourceLink};
pub use resource::Resource;
pub use rest::{
    CsvReading, ErrorWhen, Next, NextParam, Operation as RestOperation, Paginate, Parse, ParseWith, Parsing, Query,
    Style, StyledQuery, XmlReading,
};
pub use schema::json_schema;
pub use server::{
    Allow, ApiKey, ApiKeys, Audit, AuditArguments, Auth as ServerAuth, ConsentMode, Dynamic, Introspection, Issuer,
    LentCredentials, LoginMode, OauthMode, OauthServer, RateLimits, Registration, Scope, Server, Tls as ServerTls, Ttl,
    UpstreamOidc, Verify,
};
pub use source::{
    Auth, AuthMethod, Basic, Breaker, ClientCredentials, DatabaseTls, Key, Passthrough, Pool, Prepared, Redirects,
    RestSource, RestSpec, Retry, Source, SqlSource, SqlSpec, Tls, TlsMode, TokenExchange,
};
pub use sql::{Access, Column, ExpectRows, Operation as SqlOperation, Returns, Statement};
pub use steps::{Require, Step};
pub use test::{Expectation, ExpectedRequest, ExpectedRequests, Parts, Stub, StubFailure, Stubs, Test, TestCaller};
pub use tool::{Annotations, Fitting, Tool};
pub use units::{ByteSize, Duration, Rate};
