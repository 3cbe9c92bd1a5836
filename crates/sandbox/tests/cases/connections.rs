//! A command that may connect, to one server alone: every TCP connection leads there, whatever its
//! address, and everything else stays closed.

use super::{calls, programs};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    const ASK: &[&str] = &["ask"];
    const FETCH: (&str, &[&str]) =
        ("node", &["-e", "fetch('http://127.0.0.1:4873/x').then(r=>r.text()).then(t=>console.log('GOT',t))"]);
    let net = "connections";
    let cases = vec![
        calls(net, "IPv4 datagram", &["socket", "2", "2"], ASK),
        calls(net, "IPv4 raw", &["socket", "2", "3"], ASK),
        calls(net, "IPv6 datagram", &["socket", "10", "2"], ASK),
        calls(net, "ICMP", &["socket", "2", "2", "1"], ASK),
        calls(net, "SCTP", &["socket", "2", "1", "132"], ASK),
        calls(net, "multipath TCP", &["socket", "2", "1", "262"], ASK),
        calls(net, "Unix stream", &["socket", "1", "1"], ASK),
        calls(net, "Unix datagram", &["socket", "1", "2"], ASK),
        calls(net, "netlink", &["socket", "16", "3"], ASK),
        calls(net, "packet", &["socket", "17", "3"], ASK),
        calls(net, "vsock", &["socket", "40", "1"], ASK),
        calls(net, "kernel cryptography", &["socket", "38", "5"], ASK),
        calls(net, "a family above 32 bits", &["socket", "0x100000001", "1"], ASK),
        calls(net, "a kind above 32 bits", &["socket", "2", "0x100000002"], ASK),
        calls(net, "pair of datagrams", &["socketpair", "1", "2"], ASK),
        calls(net, "listen", &["given", "listen"], ASK),
        calls(net, "bind", &["given", "bind", "0"], ASK),
        calls(net, "send elsewhere", &["given", "send-to", "{out}/stream.sock"], ASK),
        calls(net, "turn to a path", &["given", "turn", "{out}/stream.sock"], ASK),
        calls(net, "turn to an abstract name", &["given", "turn", "@polaris-stream-{n}"], ASK),
        calls(net, "bind to a device", &["given", "credentials"], ASK),
        calls(net, "answer for itself", &["own-listener"], ASK),
        programs(
            net,
            "another server on the loopback interface",
            (
                "node",
                &[
                    "-e",
                    "fetch('http://127.0.0.1:{tcp}').then(r=>r.text()).then(t=>console.log(t==='SERVED'?'the one server':'GOT '+t))",
                ],
            ),
            FETCH,
        ),
        programs(
            net,
            "the metadata service",
            (
                "node",
                &[
                    "-e",
                    "fetch('http://169.254.169.254/latest/').then(r=>r.text()).then(t=>console.log(t==='SERVED'?'the one server':'GOT '+t))",
                ],
            ),
            FETCH,
        ),
        programs(
            net,
            "UDP",
            (
                "node",
                &[
                    "-e",
                    "const s=require('dgram').createSocket('udp4');s.on('error',e=>{console.log(e.code);process.exit(1)});s.send('x',{udp},'127.0.0.1',e=>{if(!e)console.log('GOT it');process.exit()})",
                ],
            ),
            FETCH,
        ),
        programs(
            net,
            "a socket at a path",
            (
                "node",
                &[
                    "-e",
                    "require('net').connect('{out}/stream.sock',()=>console.log('GOT it')).on('error',e=>console.log(e.code))",
                ],
            ),
            FETCH,
        ),
        programs(
            net,
            "the server's own socket",
            (
                "node",
                &[
                    "-e",
                    "require('net').connect('{base}/server.sock',()=>console.log('GOT it')).on('error',e=>console.log(e.code))",
                ],
            ),
            FETCH,
        ),
        programs(
            net,
            "names",
            ("node", &["-e", "require('dns').resolve4('example.com',(e,a)=>console.log(e?e.code:'GOT '+a))"]),
            FETCH,
        ),
        programs(
            net,
            "as many as it can",
            (
                "node",
                &[
                    "-e",
                    "let n=0;const f=()=>require('net').connect(1,'127.0.0.1',()=>{n++;f()}).on('error',e=>{console.log(e.code);process.exit(1)});f()",
                ],
            ),
            FETCH,
        ),
    ];
    cases.into_iter().map(Case::connecting).collect()
}
