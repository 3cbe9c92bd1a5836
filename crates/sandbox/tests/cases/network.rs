//! The network, by every family, and the sockets of this machine.

use super::{calls, programs};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    const PAIR: &[&str] = &["pair-talk"];
    let net = "network";
    vec![
        calls(net, "IPv4 stream", &["socket", "2", "1"], PAIR),
        calls(net, "IPv4 datagram", &["socket", "2", "2"], PAIR),
        calls(net, "IPv4 raw", &["socket", "2", "3"], PAIR),
        calls(net, "IPv6 stream", &["socket", "10", "1"], PAIR),
        calls(net, "IPv6 datagram", &["socket", "10", "2"], PAIR),
        calls(net, "Unix stream", &["socket", "1", "1"], PAIR),
        calls(net, "Unix datagram", &["socket", "1", "2"], PAIR),
        calls(net, "Unix packets", &["socket", "1", "5"], PAIR),
        calls(net, "netlink", &["socket", "16", "3"], PAIR),
        calls(net, "packet", &["socket", "17", "3"], PAIR),
        calls(net, "vsock", &["socket", "40", "1"], PAIR),
        calls(net, "kernel cryptography", &["socket", "38", "5"], PAIR),
        calls(net, "Bluetooth", &["socket", "31", "3"], PAIR),
        calls(net, "a family above 32 bits", &["socket", "0x100000002", "1"], PAIR),
        calls(net, "pair of datagrams", &["socketpair", "1", "2"], &["socketpair", "1", "1"]),
        calls(net, "pair of packets", &["socketpair", "1", "5"], &["socketpair", "1", "0x80801"]),
        calls(net, "pair turned to a path", &["turn", "{out}/datagram.sock", "2"], PAIR),
        calls(net, "pair turned to an abstract name", &["turn", "@polaris-datagram-{n}", "2"], PAIR),
        calls(net, "pair of streams turned", &["turn", "{out}/stream.sock", "1"], PAIR),
        calls(net, "pair sending elsewhere", &["send-to", "{out}/datagram.sock", "2"], PAIR),
        calls(net, "pair bound to a path", &["bind", "{ws}/socket"], PAIR),
        programs(
            net,
            "HTTP to the loopback interface",
            ("node", &["-e", "fetch('http://127.0.0.1:{tcp}').then(()=>console.log('GOT it'),e=>console.log(e.cause.code))"]),
            ("node", &["-p", "'GOT ' + new URL('http://127.0.0.1').host"]),
        ),
        programs(
            net,
            "HTTP to the metadata service",
            ("node", &["-e", "fetch('http://169.254.169.254/latest/meta-data/').then(()=>console.log('GOT it'),e=>console.log(e.cause.code))"]),
            ("node", &["-p", "'GOT it'"]),
        ),
        programs(
            net,
            "TCP",
            ("node", &["-e", "require('net').connect({tcp},'127.0.0.1',()=>console.log('GOT it')).on('error',e=>console.log(e.code))"]),
            ("node", &["-p", "'GOT it'"]),
        ),
        programs(
            net,
            "a socket at a path",
            ("node", &["-e", "require('net').connect('{out}/stream.sock',()=>console.log('GOT it')).on('error',e=>console.log(e.code))"]),
            ("node", &["-e", "const c=require('child_process').fork('child.js');c.on('message',m=>{console.log('GOT',m);c.kill()})"]),
        )
        .with(&[("child.js", "process.send('hello')")]),
        programs(
            net,
            "an abstract socket",
            ("node", &["-e", "require('net').connect('\\0polaris-stream-{n}',()=>console.log('GOT it')).on('error',e=>console.log(e.code))"]),
            ("node", &["-p", "'GOT it'"]),
        ),
        programs(
            net,
            "UDP",
            ("node", &["-e", "const s=require('dgram').createSocket('udp4');s.on('error',e=>{console.log(e.code);process.exit(1)});s.send('x',{udp},'127.0.0.1',e=>{if(!e)console.log('GOT it');process.exit()})"]),
            ("node", &["-p", "'GOT it'"]),
        ),
        programs(
            net,
            "listen",
            ("node", &["-e", "require('http').createServer().listen(0,()=>{console.log('GOT it');process.exit()}).on('error',e=>console.log(e.code))"]),
            ("node", &["-p", "'GOT it'"]),
        ),
        programs(
            net,
            "debugger that listens",
            ("node", &["--inspect=0", "-e", "if(require('inspector').url())console.log('GOT it')"]),
            ("node", &["-e", "if(!require('inspector').url())console.log('GOT it')"]),
        ),
        programs(
            net,
            "names",
            ("node", &["-e", "require('dns').resolve4('example.com',(e,a)=>console.log(e?e.code:'GOT '+a))"]),
            ("node", &["-e", "require('dns').lookup('localhost',(e,a)=>console.log(e?e.code:'GOT '+a))"]),
        ),
        programs(
            net,
            "git clone over the network",
            ("git", &["clone", "git://127.0.0.1:{tcp}/x", "copy"]),
            ("node", &["-e", "const r=(...a)=>require('child_process').execFileSync('git',a);r('init','-q');r('add','own.txt');r('commit','-qm','x');r('clone','-q','.','copy');console.log('GOT', require('fs').readFileSync('copy/own.txt','utf8'))"]),
        ),
    ]
}
