using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Tests.Runner;

namespace WmfCi.Kubernetes.Tests.Malice;

/// <summary>What a hostile step finds where it runs: nothing of worth to read, and nothing to change but what is its own.</summary>
public sealed class InsideAStep
{
    private const string Refused = "Operation not permitted";

    private static readonly Attack[] Reads =
    [
        new("reads the token of a trusted container", "cat /wmfci/token/token", "cat: /wmfci/token/token: No such file or directory"),
        new("looks for the volumes of other containers and steps", "cut -d' ' -f5 /proc/self/mountinfo | grep -E 'wmfci|secret|kube|containerd|docker' | sort", "/wmfci/control", "/wmfci/log", "/wmfci/tools"),
        new("searches all files for tokens and keys", @"find / \( -path /proc -o -path /sys -o -path /usr -o -path /etc/ssl \) -prune -o \( -name 'token*' -o -name '*.pem' -o -name '*.key' -o -name '*.crt' -o -name kubeconfig -o -name .dockerconfigjson \) -print 2>/dev/null"),
        new("searches all volumes for its tokens", "grep -rlE '[0-9a-f]{64}' /wmfci /artifacts /work /home /tmp /dev/shm 2>/dev/null | grep -v -e /wmfci/tools/wmfci-pod -e /wmfci/log/output"),
        new("reads its supervisor's environment", "cat /proc/1/environ", "cat: /proc/1/environ: Permission denied"),
        new("reads its supervisor's memory", "head -c 1 /proc/1/mem", "head: cannot open '/proc/1/mem' for reading: Permission denied"),
        new("reads its supervisor's memory map", "head -c 1 /proc/1/maps", "head: cannot open '/proc/1/maps' for reading: Permission denied"),
        new("lists its supervisor's open files", "ls /proc/1/fd", "ls: cannot open directory '/proc/1/fd': Permission denied"),
        new("writes to its supervisor's output", "echo '0+forged' | tee -a /proc/1/fd/1 >/dev/null", "tee: /proc/1/fd/1: Permission denied"),
        new("enters its supervisor's root", "ls /proc/1/root/", "ls: cannot access '/proc/1/root/': Permission denied"),
        new("traces its supervisor", Attack.Call("ptrace", 101, "16", "1", "0", "0"), $"ptrace: {Refused}"),
        new("reads its supervisor's memory by a call", """perl -e '$b = "x" x 16; $v = pack("PQ", $b, 16); $r = syscall(310, 1, $v, 1, $v, 1, 0); print $r == -1 ? $! : "done", "\n"'""", Refused),
        new("takes its supervisor's files by a call", """perl -e '$p = syscall(434, 1, 0); $r = syscall(438, $p, 1, 0); print $r == -1 ? $! : "done", "\n"'""", Refused),
        new("reads the environment for the cluster and secrets", "env | grep -iE 'kubernetes|exchange|wmfci_pod|token|secret|password|credential'"),
        new("reads a service account", "ls /var/run/secrets /run/secrets", "ls: cannot access '/var/run/secrets': No such file or directory", "ls: cannot access '/run/secrets': No such file or directory"),
        new("looks for the sockets of the node", @"find / \( -path /proc -o -path /sys \) -prune -o -type s -print 2>/dev/null"),
        new("looks for the disks of the node", @"find /dev \( -type b -o -name mem -o -name kmsg -o -name fuse -o -name kvm \) -print"),
        new("looks for processes of others", "cat /proc/[0-9]*/comm 2>/dev/null | sort -u | grep -vxE 'sh|cat|sort|grep|[0-9]+|wmfci-pod|perl'"),
        new("reads the kernel's log", Attack.Call("syslog", 103, "3", "$b = \"x\" x 99", "99"), $"syslog: {Refused}"),
    ];

    private static readonly Attack[] Changes =
    [
        new("gains privileges", "grep -E '^(NoNewPrivs|Cap(Inh|Prm|Eff|Bnd|Amb)|Seccomp):' /proc/self/status | tr -d '\\t'", "CapInh:0000000000000000", "CapPrm:0000000000000000", "CapEff:0000000000000000", "CapBnd:0000000000000000", "CapAmb:0000000000000000", "NoNewPrivs:1", "Seccomp:2"),
        new("becomes root by a setuid program", "su -c id </dev/null 2>&1 | grep -c 'uid=0'; perl -e '$> = 0; print $!, \"\\n\"'", "0", Refused),
        new("mounts", Attack.Call("mount", 165, "\"none\"", "\"/work\"", "\"tmpfs\"", "0", "0"), $"mount: {Refused}"),
        new("makes a read-only volume writable", Attack.Call("mount", 165, "\"none\"", "\"/wmfci/tools\"", "\"none\"", "4128", "0"), $"mount: {Refused}"),
        new("unmounts what hides something", Attack.Call("umount", 166, "\"/etc/passwd\"", "2"), $"umount: {Refused}"),
        new("makes namespaces", Attack.Call("user", 272, "0x10000000") + Attack.Call("mount", 272, "0x20000") + Attack.Call("network", 272, "0x40000000"), $"user: {Refused}", $"mount: {Refused}", $"network: {Refused}"),
        new("changes its root", Attack.Call("chroot", 161, "\"/work\""), $"chroot: {Refused}"),
        new("makes devices", "mknod /work/disk b 8 0", $"mknod: /work/disk: {Refused}"),
        new("gives its files to root", "touch /work/mine; chown 0 /work/mine", $"chown: changing ownership of '/work/mine': {Refused}"),
        new("opens raw sockets", "perl -e 'socket(S, 2, 3, 1) or print \"ip: $!\\n\"; socket(S, 17, 3, 0x300) or print \"packet: $!\\n\"'", $"ip: {Refused}", $"packet: {Refused}"),
        new("uses the kernel's dangerous calls",
            Attack.Call("bpf", 321, "0", "0", "0") + Attack.Call("perf", 298, "0", "0", "0", "0", "0") + Attack.Call("kexec", 246, "0", "0", "0", "0") + Attack.Call("module", 175, "0", "0", "0")
            + Attack.Call("swap", 167, "\"/work/x\"", "0") + Attack.Call("reboot", 169, "0", "0", "0", "0") + Attack.Call("clock", 227, "0", "0") + Attack.Call("keys", 250, "0", "0", "0", "0", "0"),
            [.. ((string[])["bpf", "perf", "kexec", "module", "swap", "reboot", "clock", "keys"]).Select(call => $"{call}: {Refused}")]),
        new("changes the program, its order and its inputs", "tee /wmfci/tools/wmfci-pod /wmfci/tools/order.json /wmfci/tools/steps/2 /artifacts/x </dev/null",
            [.. ((string[])["/wmfci/tools/wmfci-pod", "/wmfci/tools/order.json", "/wmfci/tools/steps/2", "/artifacts/x"]).Select(path => $"tee: {path}: Read-only file system")]),
        new("changes the accounts", "tee /etc/passwd /etc/group </dev/null; tee -a /etc/shadow </dev/null", "tee: /etc/passwd: Read-only file system", "tee: /etc/group: Read-only file system", "tee: /etc/shadow: Permission denied"),
        new("changes the image's programs", "tee -a /bin/sh /etc/ld.so.preload </dev/null", "tee: /bin/sh: Permission denied", "tee: /etc/ld.so.preload: Permission denied"),
        new("takes the volumes' roots for itself", "chmod 777 /work /wmfci/control /dev/shm", $"chmod: changing permissions of '/work': {Refused}", $"chmod: changing permissions of '/wmfci/control': {Refused}", $"chmod: changing permissions of '/dev/shm': {Refused}"),
        new("changes the kernel's and the control groups' settings", "find /proc/sys /proc/sysrq-trigger /sys -type f -writable 2>/dev/null"),
        new("raises its limits", "for l in u f c; do bash -c \"ulimit -$l unlimited\" 2>&1 | grep -o 'cannot modify.*'; done", $"cannot modify limit: {Refused}", $"cannot modify limit: {Refused}", $"cannot modify limit: {Refused}"),
        new("sends its supervisor every signal but the polite one", "for s in $(seq 1 64); do [ $s = 15 ] || kill -$s 1 2>/dev/null || true; done; echo still here", "still here"),
    ];

    private static readonly Once<Heard> Stage = new(() => Hostile.RunAsync(Attack.StepOf(Reads), Attack.StepOf(Changes)));

    public static TheoryData<string> Names => [.. Reads.Concat(Changes).Select(attack => attack.Name)];

    [Theory, MemberData(nameof(Names))]
    public async Task A_hostile_step_gains_nothing_when_it(string tries)
    {
        var attack = Reads.Concat(Changes).Single(attack => attack.Name == tries);
        attack.PrintedIn(await Stage.Result).ShouldBe(attack.Printed);
    }

    [Fact]
    public async Task Its_supervisor_outlives_all_of_it_and_tells_the_truth()
    {
        var heard = await Stage.Result;
        heard.ShouldEnd(OutcomeKind.Succeeded, "");
        heard.Steps.ShouldBe(["step 1", "step 2"]);
        heard.Notes.ShouldBeEmpty();
    }
}
