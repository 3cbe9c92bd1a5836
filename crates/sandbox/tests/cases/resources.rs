//! Using up the machine, and staying on it.

use polaris_sandbox::Limit;

use super::{calls, programs};
use crate::Case;

pub(super) fn cases() -> Vec<Case> {
    const FINE: &[&str] = &["getpid"];
    let use_up = "resources";
    let stay = "persistence";
    let output = "output";
    vec![
        calls(use_up, "processes", &["forks", "60"], &["forks", "8"]).small(),
        calls(use_up, "threads", &["vfork-threads", "60"], &["vfork-threads", "8"]).small(),
        calls(use_up, "fork bomb", &["fork-bomb"], FINE).small().stopped_by(Limit::Time),
        calls(use_up, "memory", &["memory", "400", "1"], &["little-memory"]).small().stopped_by(Limit::Memory),
        calls(use_up, "memory of many", &["memory", "64", "8"], &["little-memory"]).small().stopped_by(Limit::Memory),
        calls(use_up, "shared memory", &["shared-memory", "400"], &["little-memory"]).small().stopped_by(Limit::Memory),
        calls(use_up, "locked memory", &["mlock", "4"], &["little-memory"]),
        calls(use_up, "one large file", &["big-file", "{ws}/big", "40"], &["big-file", "{ws}/big", "8"]).small(),
        calls(use_up, "one sparse file", &["sparse-file", "{ws}/big", "64"], &["sparse-file", "{ws}/big", "8"]).small(),
        calls(use_up, "many large files", &["fill-disk", "{ws}"], &["big-file", "{ws}/big", "8"]).small().stopped_by(Limit::Disk),
        calls(use_up, "the temporary folder", &["fill-disk", "{tmp}"], &["big-file", "{tmp}/big", "8"]).small().stopped_by(Limit::Disk),
        calls(use_up, "the folder /tmp", &["big-file", "/tmp/big", "20"], &["big-file", "{tmp}/big", "20"]).small(),
        programs(
            use_up,
            "many files in /tmp",
            ("sh", &["-c", "i=0; while [ $i -lt 1100 ]; do : > /tmp/$i || exit 1; i=$((i+1)); done; echo GOT it"]),
            ("sh", &["-c", "i=0; while [ $i -lt 900 ]; do : > {tmp}/$i || exit 1; i=$((i+1)); done; echo GOT it"]),
        )
        .small(),
        calls(use_up, "many files", &["many-files", "{tmp}"], &["write", "{tmp}/one"]).small().stopped_by(Limit::Disk),
        calls(use_up, "descriptors", &["descriptors", "5000"], &["descriptors", "50"]),
        calls(use_up, "core dump", &["core-dump"], FINE),
        calls(use_up, "time", &["sleep"], FINE).stopped_by(Limit::Time),
        calls(use_up, "time, ignoring every signal", &["daemon-ignoring", "{ws}/here"], FINE),
        calls(use_up, "time, stopped", &["stop"], FINE).stopped_by(Limit::Time),
        programs(
            use_up,
            "buffers of node",
            ("node", &["-e", "const a=[];for(;;)a.push(Buffer.alloc(16<<20,1))"]),
            ("node", &["-e", "Buffer.alloc(16<<20,1);console.log('GOT it')"]),
        )
        .small()
        .stopped_by(Limit::Memory),
        programs(
            use_up,
            "endless loop",
            ("node", &["-e", "for(;;);"]),
            ("node", &["-e", "for(let i=0;i<1e6;i++);console.log('GOT it')"]),
        )
        .stopped_by(Limit::Time),
        calls(output, "more than anyone reads", &["print", "8000000"], &["print", "4096"]).stopped_by(Limit::Output),
        programs(
            output,
            "a flood on both streams",
            ("node", &["-e", "const x='x'.repeat(65536);setInterval(()=>{process.stdout.write(x);process.stderr.write(x)},0)"]),
            ("node", &["-e", "process.stdout.write('x'.repeat(65536)+'GOT it')"]),
        )
        .stopped_by(Limit::Output),
        programs(
            output,
            "a reader that waits for input",
            ("node", &["-e", "process.stdin.on('data',d=>console.log('GOT',d))"]),
            ("node", &["-e", "process.stdin.resume().on('end',()=>console.log('GOT it'))"]),
        ),
        // ---- whoever stays is found by the check for survivors, which every case ends with ----
        calls(stay, "a session of its own", &["escape-session"], FINE),
        programs(
            stay,
            "a daemon",
            ("attempt", &["daemon", "{ws}/here"]),
            ("attempt", &["getpid"]),
        ),
        calls(stay, "a daemon that ignores every signal", &["daemon-ignoring", "{ws}/there"], FINE),
        calls(stay, "a stopped process", &["daemon-stopped", "{ws}/here"], FINE),
        calls(stay, "a tree, twenty deep", &["tree", "{ws}/here", "20"], FINE).stopped_by(Limit::Time),
        programs(
            stay,
            "detached by node",
            ("node", &["-e", "const c=require('child_process').spawn('sleep',['3600'],{detached:true,stdio:'ignore'});c.unref();"]),
            ("node", &["-e", "const c=require('child_process').spawn('sleep',['0'],{detached:true,stdio:'ignore'});c.on('exit',()=>console.log('GOT it'))"]),
        ),
        programs(
            stay,
            "holding the streams open",
            ("node", &["-e", "require('child_process').spawn('sleep',['3600'],{detached:true,stdio:'inherit'}).unref()"]),
            ("node", &["-e", "require('child_process').spawn('echo',['GOT it'],{detached:true,stdio:'inherit'}).unref()"]),
        ),
        programs(
            stay,
            "by a shell in the background",
            ("sh", &["-c", "(trap '' TERM HUP INT; sleep 3600) & nohup sleep 3600 > /dev/null 2>&1 & exit 0"]),
            ("sh", &["-c", "(sleep 0; echo GOT it) & wait"]),
        ),
        calls(stay, "a table of jobs", &["write", "/var/spool/cron/crontabs/x"], &["write", "{ws}/jobs"]),
        calls(stay, "a start-up file", &["write", "/etc/profile.d/polaris.sh"], &["write", "{ws}/profile.sh"]),
    ]
}
