using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using WmfCi.Scenarios.World;

namespace WmfCi.Benchmarks;

/// <summary>What the command line asks for.</summary>
internal sealed record Choices(IReadOnlyList<string> Names)
{
    public int? Count { get; init; }

    public int WarmUp { get; init; } = 5;

    /// <summary>Whether the stand-in takes Gerrit's place.</summary>
    public bool StandIn { get; init; }

    /// <summary>Whether the service's own log and each single figure are printed.</summary>
    public bool Verbose { get; init; }

    public static bool TryRead(string[] words, [NotNullWhen(true)] out Choices? choices)
    {
        choices = null;
        var read = new Choices([.. words.Where((word, at) => !word.StartsWith("--", StringComparison.Ordinal) && (at == 0 || !TakesNumber(words[at - 1])))]);
        for (var at = 0; at < words.Length; at++)
        {
            if (!words[at].StartsWith("--", StringComparison.Ordinal)) continue;
            var number = 0;
            if (TakesNumber(words[at]) && (at + 1 == words.Length || !int.TryParse(words[at + 1], NumberStyles.None, CultureInfo.InvariantCulture, out number))) return false;
            switch (words[at])
            {
                case "--count": read = read with { Count = number }; break;
                case "--warm-up": read = read with { WarmUp = number }; break;
                case "--stand-in": read = read with { StandIn = true }; break;
                case "--verbose": read = read with { Verbose = true }; break;
                default: return false;
            }
        }
        choices = read;
        return true;
    }

    /// <summary>The Gerrit that is there, or the stand-in.</summary>
    public async Task<GerritPeer> MeetGerritAsync(CancellationToken cancellationToken)
    {
        if (StandIn) return await StandInPeer.StartAsync(cancellationToken);
        return RealGerrit.IsThere ? new RealGerrit() : throw new InvalidOperationException($"{RealGerrit.Missing}, or say --stand-in.");
    }

    private static bool TakesNumber(string word) => word is "--count" or "--warm-up";
}
