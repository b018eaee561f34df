using WmfCi.LocalRunner.Sandboxes;

namespace WmfCi.LocalRunner.Tests.Sandboxes;

public sealed class ControlGroupPlaceTests
{
    private const string VersionTwo = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    private const string VersionOne = """
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
        39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
        """;

    [Fact]
    public void On_version_two_it_is_under_the_services_own_group() =>
        ControlGroupPlace.Find(VersionTwo, "0::/system.slice/wmfci.service\n", _ => true)
            .ShouldBe(new ControlGroupPlace("/sys/fs/cgroup/system.slice/wmfci.service", "/sys/fs/cgroup/system.slice/wmfci.service", IsUnified: true));

    [Fact]
    public void A_service_that_moved_itself_to_a_leaf_still_finds_its_own_group() =>
        ControlGroupPlace.Find(VersionTwo, "0::/system.slice/wmfci.service/wmfci-service\n", _ => true)!.Memory.ShouldBe("/sys/fs/cgroup/system.slice/wmfci.service");

    [Fact]
    public void On_version_one_each_controller_has_its_own_place() =>
        ControlGroupPlace.Find(VersionOne, "8:pids:/\n4:memory:/a/b\n0::/\n", _ => true)
            .ShouldBe(new ControlGroupPlace("/sys/fs/cgroup/memory/a/b", "/sys/fs/cgroup/pids", IsUnified: false));

    [Fact]
    public void In_a_container_that_does_not_see_its_own_path_the_mount_itself_is_taken() =>
        ControlGroupPlace.Find(VersionOne, "8:pids:/x\n4:memory:/x\n", folder => !folder.EndsWith("/x", StringComparison.Ordinal))!.Memory.ShouldBe("/sys/fs/cgroup/memory");

    [Fact]
    public void Without_control_groups_there_is_no_place() => ControlGroupPlace.Find("1 1 0:1 / / rw - ext4 /dev/x rw\n", "", _ => true).ShouldBeNull();
}
