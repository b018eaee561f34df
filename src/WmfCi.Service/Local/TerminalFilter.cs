using System.Buffers;

namespace WmfCi.Service.Local;

/// <summary>
/// Lets text and colours through to a terminal and nothing that it could obey otherwise: no titles, no cursor, no clipboard, no questions to which it would answer as
/// if somebody typed. Bytes come in pieces of any size.
/// </summary>
internal sealed class TerminalFilter
{
    private const int MaxParameters = 64;
    private const byte Escape = 0x1B, Bell = 0x07, Delete = 0x7F, LatinLead = 0xC2;
    private static readonly SearchValues<byte> s_parameters = SearchValues.Create("0123456789;:"u8);
    private readonly byte[] _sequence = new byte[MaxParameters];
    private int _length;
    private Place _place;
    private bool _coloured;

    private enum Place
    {
        Text,
        AfterEscape,
        Sequence,
        String,
        StringAfterEscape,
        AfterLatinLead,
    }

    /// <summary>Whether a colour may be on since the last time that this was asked.</summary>
    public bool TakeColoured()
    {
        var was = _coloured;
        _coloured = false;
        return was;
    }

    /// <summary>Passes on what may be shown.</summary>
    public void Pass(ReadOnlySpan<byte> bytes, IBufferWriter<byte> to)
    {
        foreach (var one in bytes) Take(one, to);
    }

    private void Take(byte one, IBufferWriter<byte> to)
    {
        switch (_place)
        {
            case Place.Text:
                TakeText(one, to);
                break;
            case Place.AfterEscape:
                // ] P X ^ _ begin strings for the terminal; [ begins a sequence; all else is one character, or has one more that is harmless as text.
                (_place, _length) = (one switch { (byte)'[' => Place.Sequence, (byte)']' or (byte)'P' or (byte)'X' or (byte)'^' or (byte)'_' => Place.String, Escape => Place.AfterEscape, _ => Place.Text }, 0);
                break;
            case Place.Sequence:
                TakeSequence(one, to);
                break;
            case Place.String:
                // A line break ends it too: a program that was cut off must not swallow the rest of the log.
                if (one == Escape) _place = Place.StringAfterEscape;
                else if (one == Bell) _place = Place.Text;
                else if (one == (byte)'\n') End(one, to);
                break;
            case Place.StringAfterEscape:
                _place = one == (byte)'\\' ? Place.Text : Place.AfterEscape;
                if (_place == Place.AfterEscape) Take(one, to);
                break;
            default:
                // U+0080 to U+009F are control characters, and some terminals obey them.
                _place = Place.Text;
                if (one is >= 0x80 and < 0xA0) break;
                Put(LatinLead, to);
                TakeText(one, to);
                break;
        }
    }

    private void TakeText(byte one, IBufferWriter<byte> to)
    {
        if (one == Escape) _place = Place.AfterEscape;
        else if (one == LatinLead) _place = Place.AfterLatinLead;
        else if (one is (byte)'\n' or (byte)'\r' or (byte)'\t' || (one >= ' ' && one != Delete)) Put(one, to);
    }

    private void TakeSequence(byte one, IBufferWriter<byte> to)
    {
        if (one == (byte)'\n')
        {
            End(one, to);
        }
        else if (one == Escape)
        {
            _place = Place.AfterEscape;
        }
        else if (one is >= (byte)'@' and <= (byte)'~')
        {
            _place = Place.Text;
            if (one != (byte)'m' || _length >= MaxParameters || _sequence.AsSpan(0, _length).ContainsAnyExcept(s_parameters)) return;
            _coloured = !(_length == 0 || (_length == 1 && _sequence[0] == (byte)'0'));
            to.Write("\e["u8);
            to.Write(_sequence.AsSpan(0, _length));
            Put(one, to);
        }
        else if (_length < MaxParameters)
        {
            _sequence[_length++] = one;
        }
    }

    private void End(byte one, IBufferWriter<byte> to)
    {
        _place = Place.Text;
        TakeText(one, to);
    }

    private static void Put(byte one, IBufferWriter<byte> to) => to.Write([one]);
}
