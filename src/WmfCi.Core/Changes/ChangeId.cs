using System.Globalization;
using System.Text.Json.Serialization;

namespace WmfCi.Core.Changes;

/// <summary>Which change: project and number, as Gerrit's <c>project~number</c>. It stays the same over all patch sets.</summary>
/// <param name="Project">The repository, such as <c>operations/puppet</c>.</param>
/// <param name="Number">The change's number, positive.</param>
public readonly record struct ChangeId(string Project, int Number)
{
    private const string LanePrefix = "change/";

    /// <summary>The key of the lane in which everything about this change is decided, one event after another.</summary>
    [JsonIgnore]
    public string Lane => LanePrefix + this;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Project}~{Number}");

    /// <summary>Reads the change that a lane key names.</summary>
    /// <returns>False when the key is another kind of lane's.</returns>
    public static bool TryFromLane(string lane, out ChangeId id)
    {
        id = default;
        if (!lane.StartsWith(LanePrefix, StringComparison.Ordinal)) return false;
        var tilde = lane.LastIndexOf('~');
        if (tilde <= LanePrefix.Length || !int.TryParse(lane.AsSpan(tilde + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
        id = new ChangeId(lane[LanePrefix.Length..tilde], number);
        return number > 0;
    }
}
