namespace WmfCi.Kubernetes;

/// <summary>What happened to an object.</summary>
public enum ChangeKind
{
    /// <summary>It is there, new or changed.</summary>
    Set,

    /// <summary>It is gone; the object is what was last known of it.</summary>
    Gone,
}

/// <summary>A change of an object.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Item">The object. It is shared: nobody may change it.</param>
public readonly record struct Change<T>(ChangeKind Kind, T Item);
