using System.Text;

namespace WmfCi.Workspaces;

/// <summary>The accounts that steps see, whatever their image: many programs refuse to work for a user without a name.</summary>
public static class Accounts
{
    /// <summary>What the account that steps run as is called.</summary>
    public const string Name = "ci";

    /// <summary>Its home.</summary>
    public const string Home = "/home/ci";

    private const uint Nobody = 65534;

    /// <summary>The text of <c>/etc/passwd</c>.</summary>
    public static string Passwd(uint user, uint group)
    {
        var text = new StringBuilder("root:x:0:0:root:/root:/bin/sh\n");
        if (user != 0) text.Append($"{Name}:x:{user}:{group}:{Name}:{Home}:/bin/sh\n");
        if (user != Nobody) text.Append($"nobody:x:{Nobody}:{Nobody}:nobody:/nonexistent:/bin/false\n");
        return text.ToString();
    }

    /// <summary>The text of <c>/etc/group</c>.</summary>
    public static string Group(uint user, uint group)
    {
        var text = new StringBuilder("root:x:0:\n");
        if (group != 0) text.Append($"{Name}:x:{group}:{(user != 0 ? Name : "")}\n");
        if (group != Nobody) text.Append($"nogroup:x:{Nobody}:\n");
        return text.ToString();
    }
}
