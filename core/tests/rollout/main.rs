//! Deploying, seen from outside: a real control plane with its real listener, plugins and database, and agents that speak the real
//! protocol but only pretend to have Docker.

mod agent;
mod billing;
mod built;
mod world;

mod asked;
mod changes;
mod crashes;
mod deploys;
mod fairness;
mod fences;
mod identity;
mod ingresses;
mod logs;
mod messages;
mod silence;
