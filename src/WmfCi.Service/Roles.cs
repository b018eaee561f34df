namespace WmfCi.Service;

/// <summary>What a process does. Each role needs other secrets, so that a real installation gives each an account of its own.</summary>
[Flags]
public enum Roles
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Hears events, decides, reads and writes reviews. Needs the database, and the code review's account.</summary>
    Controller = 1,

    /// <summary>Fetches, merges, publishes sources. Needs the database, the store, and git credentials.</summary>
    Vcs = 2,

    /// <summary>Runs stages. Needs the database and the store.</summary>
    Runner = 4,

    /// <summary>Shows pages. Needs the database and the store, to read.</summary>
    Web = 8,

    /// <summary>All of them.</summary>
    All = Controller | Vcs | Runner | Web,
}
