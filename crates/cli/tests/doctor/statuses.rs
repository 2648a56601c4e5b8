//! Walls against programs, and statuses that say something by themselves.

use super::{
    answers::says,
    bed::{Case, check},
};

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "Cloudflare's rule refuses (1020)",
        codes: &["D27"],
        exit: 30,
        make: || says("/ws", "403 Forbidden\r\nServer: cloudflare", "error code: 1020"),
    },
    Case {
        name: "Akamai refuses",
        codes: &["D27"],
        exit: 30,
        make: || says("/ws", "403 Forbidden\r\nServer: AkamaiGHost", "<H1>Access Denied</H1>"),
    },
    Case {
        name: "CloudFront refuses",
        codes: &["D27"],
        exit: 30,
        make: || {
            says(
                "/ws",
                "403 Forbidden\r\nServer: CloudFront",
                "<H2>The request could not be satisfied.</H2>Request blocked.",
            )
        },
    },
    Case {
        name: "Sucuri refuses",
        codes: &["D27"],
        exit: 30,
        make: || says("/ws", "403 Forbidden\r\nServer: Sucuri/Cloudproxy", ""),
    },
    Case {
        name: "a rule of an AWS balancer refuses",
        codes: &["D27"],
        exit: 30,
        make: || says("/ws", "403 Forbidden\r\nServer: awselb/2.0", "<h1>403 Forbidden</h1>"),
    },
    Case {
        name: "AWS WAF sets a task (202)",
        codes: &["D27"],
        exit: 30,
        make: || {
            says("/ws", "202 Accepted\r\nServer: CloudFront\r\nx-amzn-waf-action: challenge", "")
        },
    },
    Case {
        name: "AWS WAF sets a task (405)",
        codes: &["D27"],
        exit: 30,
        make: || says("/ws", "405 Method Not Allowed\r\nx-amzn-waf-action: captcha", ""),
    },
    Case {
        name: "403, and no origin was sent",
        codes: &["D27"],
        exit: 30,
        make: || says("/ws", "403 Forbidden", ""),
    },
    Case {
        name: "403 for want of an origin",
        codes: &["D27"],
        exit: 30,
        make: || says("/ws", "403 Forbidden", "missing origin"),
    },
    Case {
        name: "Cloudflare 524",
        codes: &["D34"],
        exit: 30,
        make: || says("/ws", "524 Timeout\r\nServer: cloudflare", "error code: 524"),
    },
    Case {
        name: "a tunnel of Cloudflare's that is not connected",
        codes: &["D34"],
        exit: 30,
        make: || says("/ws", "530 Unknown\r\nServer: cloudflare", "error code: 1033"),
    },
    Case {
        name: "a name that Cloudflare does not know",
        codes: &["D34"],
        exit: 30,
        make: || says("/ws", "409 Conflict\r\nServer: cloudflare", "error code: 1001"),
    },
    Case {
        name: "a cache says 304",
        codes: &["D34"],
        exit: 30,
        make: || says("/ws", "304 Not Modified", ""),
    },
    Case {
        name: "421, another site",
        codes: &["D34"],
        exit: 30,
        make: || says("/ws", "421 Misdirected Request\r\nServer: Apache/2.4.57", ""),
    },
    Case {
        name: "426 for TLS",
        codes: &["D26"],
        exit: 30,
        make: || says("/ws", "426 Upgrade Required\r\nUpgrade: TLS/1.2, HTTP/1.1", ""),
    },
    Case {
        name: "426 for HTTP/2",
        codes: &["D26"],
        exit: 30,
        make: || says("/ws", "426 Upgrade Required\r\nServer: nginx\r\nUpgrade: h2c", ""),
    },
    Case {
        name: "headers too long for IIS",
        codes: &["D31"],
        exit: 30,
        make: || {
            says(
                "/ws",
                "400 Bad Request\r\nServer: Microsoft-HTTPAPI/2.0",
                "<h2>Bad Request - Request Too Long</h2><p>HTTP Error 400. The size of the request headers is too long.</p>",
            )
        },
    },
    Case {
        name: "nginx's own number for a long head (494)",
        codes: &["D31"],
        exit: 30,
        make: || says("/ws", "494 Request Header Too Large\r\nServer: nginx", ""),
    },
];

#[test]
fn statuses() {
    check(CASES);
}
