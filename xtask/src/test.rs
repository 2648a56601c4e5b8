//! `cargo xtask test`: what a change must pass.

use crate::project::Project;
use crate::steps::{self, Step};
use crate::{autobahn, checks, deny, doctor, foreign, layering, openapi, socketio};

/// Quick ones first. Each name may be given to `--only` and `--skip`.
const STEPS: &[Step] = &[
    Step { name: "fmt", what: "formatting", run: checks::fmt },
    Step { name: "layering", what: "imports point downwards", run: layering::step },
    Step { name: "deny", what: "bans, licences and sources of dependencies", run: deny::step },
    Step { name: "clippy", what: "lints, as errors", run: checks::clippy },
    Step { name: "docs", what: "documentation builds without a warning", run: checks::docs },
    Step { name: "tests", what: "unit, property and socket tests", run: checks::tests },
    Step { name: "doctests", what: "examples in the documentation", run: checks::doctests },
    Step { name: "corpus", what: "recorded inputs of the fuzz targets", run: checks::corpus },
    Step { name: "schedules", what: "the hub under random schedules", run: checks::schedules },
    Step { name: "web", what: "the page's own tests, on Node", run: checks::web },
    Step { name: "build", what: "release build for the steps below", run: checks::build },
    Step { name: "autobahn-server", what: "Autobahn against our server", run: autobahn::server },
    Step { name: "autobahn-tls", what: "Autobahn over wss://", run: autobahn::secure_server },
    Step { name: "autobahn-client", what: "Autobahn against our client", run: autobahn::client },
    Step {
        name: "autobahn-http2",
        what: "Autobahn against our server, over HTTP/2 by nghttpx",
        run: autobahn::http2,
    },
    Step { name: "ws-npm", what: "npm ws, as client and as server", run: foreign::ws_npm },
    Step {
        name: "websockets-py",
        what: "Python websockets, as client and as server",
        run: foreign::websockets_py,
    },
    Step { name: "openapi", what: "the HTTP doors as /openapi.json says", run: openapi::step },
    Step {
        name: "doors",
        what: "in by one door, out at another: npm ws, npm eventsource, curl",
        run: foreign::doors,
    },
    Step {
        name: "sse-judge",
        what: "the shared judge of Server-Sent Events",
        run: foreign::sse_judge,
    },
    Step {
        name: "doctor",
        what: "madang doctor at broken servers, nginx, HAProxy, Apache, npm, RabbitMQ",
        run: doctor::bed,
    },
    Step {
        name: "socketio",
        what: "socket.io-client 4.8, 3.1 and 2.5, and a room mixed with other doors",
        run: socketio::npm,
    },
    Step { name: "socketio-py", what: "python-socketio as client", run: socketio::python },
    Step {
        name: "socketio-judge",
        what: "the shared judge of Socket.IO and Engine.IO",
        run: socketio::judge,
    },
    Step { name: "browser", what: "the chat page in Chromium", run: foreign::browser },
];

pub(crate) fn run(project: &Project, args: &[String]) -> Result<bool, String> {
    steps::run("test", project, STEPS, args)
}
