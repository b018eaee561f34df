using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace WmfCi.Gerrit.StandIn.Ssh;

/// <summary>Something in the conversation that the protocol does not allow; the connection ends.</summary>
internal sealed class SshProtocolException(string message) : Exception(message);

/// <summary>Message numbers (RFC 4250, 4252, 4253, 4254, 5656).</summary>
internal static class SshMessage
{
    public const byte Disconnect = 1;
    public const byte Ignore = 2;
    public const byte Unimplemented = 3;
    public const byte Debug = 4;
    public const byte ServiceRequest = 5;
    public const byte ServiceAccept = 6;
    public const byte KexInit = 20;
    public const byte NewKeys = 21;
    public const byte EcdhInit = 30;
    public const byte EcdhReply = 31;
    public const byte AuthRequest = 50;
    public const byte AuthFailure = 51;
    public const byte AuthSuccess = 52;
    public const byte AuthPublicKeyOk = 60;
    public const byte GlobalRequest = 80;
    public const byte RequestFailure = 82;
    public const byte ChannelOpen = 90;
    public const byte ChannelOpenConfirmation = 91;
    public const byte ChannelOpenFailure = 92;
    public const byte ChannelWindowAdjust = 93;
    public const byte ChannelData = 94;
    public const byte ChannelExtendedData = 95;
    public const byte ChannelEof = 96;
    public const byte ChannelClose = 97;
    public const byte ChannelRequest = 98;
    public const byte ChannelSuccess = 99;
    public const byte ChannelFailure = 100;
}

/// <summary>Writes SSH's data types (RFC 4251 §5).</summary>
internal sealed class SshWriter
{
    private readonly ArrayBufferWriter<byte> buffer = new(256);

    public SshWriter Byte(byte value)
    {
        buffer.Write([value]);
        return this;
    }

    public SshWriter Flag(bool value) => Byte(value ? (byte)1 : (byte)0);

    public SshWriter Number(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(buffer.GetSpan(4), value);
        buffer.Advance(4);
        return this;
    }

    public SshWriter Raw(ReadOnlySpan<byte> value)
    {
        buffer.Write(value);
        return this;
    }

    public SshWriter Bytes(ReadOnlySpan<byte> value) => Number((uint)value.Length).Raw(value);

    public SshWriter Text(string value) => Bytes(Encoding.UTF8.GetBytes(value));

    /// <summary>A number that is not negative, big endian, as an mpint: no leading zeros, but one where the sign bit would be set.</summary>
    public SshWriter Mpint(ReadOnlySpan<byte> value)
    {
        value = value.TrimStart((byte)0);
        if (value.IsEmpty || value[0] < 0x80) return Bytes(value);
        return Number((uint)value.Length + 1).Byte(0).Raw(value);
    }

    public byte[] ToArray() => buffer.WrittenSpan.ToArray();
}

/// <summary>Reads SSH's data types out of one packet; a packet that is too short is a mistake of the peer's.</summary>
internal sealed class SshReader(byte[] data)
{
    private int at;

    public byte Byte() => Take(1)[0];

    public bool Flag() => Byte() != 0;

    public uint Number() => BinaryPrimitives.ReadUInt32BigEndian(Take(4));

    public ReadOnlySpan<byte> Bytes()
    {
        var length = Number();
        if (length > data.Length) throw new SshProtocolException("a string that is longer than its packet");
        return Take((int)length);
    }

    public string Text() => Encoding.UTF8.GetString(Bytes());

    public string[] Names() => Encoding.ASCII.GetString(Bytes()).Split(',', StringSplitOptions.RemoveEmptyEntries);

    public ReadOnlySpan<byte> Take(int count)
    {
        if (count > data.Length - at) throw new SshProtocolException("a packet that is too short");
        at += count;
        return data.AsSpan(at - count, count);
    }
}
