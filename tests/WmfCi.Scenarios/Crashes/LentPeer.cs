using WmfCi.Scenarios.World;

namespace WmfCi.Scenarios.Crashes;

/// <summary>A Gerrit that several towns use at once; none of them ends it.</summary>
internal sealed class LentPeer(GerritPeer owner) : GerritPeer
{
    public override string Url => owner.Url;

    public override string SshHost => owner.SshHost;

    public override int SshPort => owner.SshPort;

    public override string KnownHostsFile => owner.KnownHostsFile;

    public override string KeyFile(string user) => owner.KeyFile(user);
}
