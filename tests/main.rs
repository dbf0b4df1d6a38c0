//! The one test binary: a module per subject, so that everything is linked once.

#![cfg(test)]

mod access;
mod asking;
mod caching;
mod capabilities;
mod check_fixtures;
mod cli;
mod credentials;
mod desk;
mod escapes;
mod examples;
mod explain;
mod floors;
mod fuzzing;
mod generated;
mod hostile;
mod keys;
mod limits;
mod oauth;
mod one_language;
mod pages;
mod postgres;
mod prompts;
mod reload;
mod replies;
mod resilience;
mod resources;
mod rest;
mod rest_answers;
mod rest_requests;
mod rest_safety;
mod rmcp_client;
mod serve;
mod sessions;
mod sql;
mod sse;
mod stdio;
mod steps;
mod streams;
mod support;
mod tidy;
mod tree;
mod types;
mod wire;
mod wire_properties;
