using System.Globalization;

namespace WmfCi.Gerrit.StandIn;

/// <summary>The program's arguments.</summary>
internal static class CommandLine
{
    private const string Usage = """
        usage: wmfci-gerrit-standin [--http [127.0.0.1:]PORT] [--ssh PORT] [--state DIR] [--project NAME]... [--user NAME:PASSWORD[:GROUP]]...
                                    [--no-anonymous-read] [--any-committer]
        Without --user there are admin, wmfci, alice, bob, carol and mallory, each with the password testbed-NAME.
        GROUP is Administrators, 'Service Users' or Developers. Prints 'ready URL' when it answers; DIR/gerrit.env says how to reach it.
        """;

    public static bool TryParse(string[] args, out StandInOptions options, out string problem)
    {
        (options, problem) = (new StandInOptions(), "");
        var projects = new List<string>();
        var users = new List<StandInUser>();
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] is "--no-anonymous-read" or "--any-committer")
            {
                options = args[i] == "--any-committer" ? options with { AllowForgedCommitter = true } : options with { AnonymousRead = false };
                continue;
            }
            if (i + 1 >= args.Length)
            {
                problem = Usage;
                return false;
            }
            var (name, value) = (args[i], args[++i]);
            switch (name)
            {
                case "--http" when TryPort(value.StartsWith("127.0.0.1:", StringComparison.Ordinal) ? value["127.0.0.1:".Length..] : value, out var port):
                    options = options with { HttpPort = port };
                    break;
                case "--ssh" when TryPort(value, out var port): options = options with { SshPort = port }; break;
                case "--state": options = options with { StateFolder = value }; break;
                case "--project": projects.Add(value); break;
                case "--user" when value.Split(':') is [{ Length: > 0 } user, { Length: > 0 } password, .. var group] && group.Length < 2:
                    users.Add(new StandInUser(user, password, group.Length == 0 ? "" : group[0]));
                    break;
                default:
                    problem = $"'{name} {value}' is not understood.\n{Usage}";
                    return false;
            }
        }
        if (projects.Count > 0) options = options with { Projects = projects };
        if (users.Count > 0) options = options with { Users = users };
        return true;
    }

    private static bool TryPort(string text, out int port) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port <= 65_535;
}
